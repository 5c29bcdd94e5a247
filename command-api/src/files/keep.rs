//! Content on its way into the store: once per organisation, and never between the look of a sweep and its hand.

use std::fs::File as Disk;
use std::io::Seek as _;

use axum::http::StatusCode;
use events::FileId;
use events::files::file::{Complete, File};
use platform::db::{begin_for, locks};
use platform::files::{FileError, PartError, blob_id};
use platform::problem::Problem;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::inspect::inspect;
use crate::answer::Carried;
use crate::app::App;
use crate::pipeline::{Ask, Target};

/// Bodies being received; more are refused for the moment.
const RECEIVED_AT_ONCE: usize = 64;
/// Files being looked through, which takes a core and the disk.
const INSPECTED_AT_ONCE: usize = 2;
/// Appends that hold the place of their bytes, and with it a connection.
const CLAIMED_AT_ONCE: usize = 2;
/// How often bytes are stored again that a sweep took away meanwhile.
const STORED_AT_MOST: usize = 3;

/// How much is done at once for files.
pub(crate) struct Turns {
    receiving: Semaphore,
    inspecting: Semaphore,
    claiming: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            receiving: Semaphore::new(RECEIVED_AT_ONCE),
            inspecting: Semaphore::new(INSPECTED_AT_ONCE),
            claiming: Semaphore::new(CLAIMED_AT_ONCE),
        }
    }
}

impl Turns {
    /// A turn to receive a body.
    pub(super) fn receive(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let full = "too many files are being sent at the moment; try again in a while";
        self.receiving.try_acquire().map_err(|_| Problem::unavailable(full))
    }
}

/// What a file holds, and where its bytes belong.
pub(super) async fn examine(
    app: &App,
    ask: &Ask,
    (file, expected_sha256): (&Disk, Option<String>),
) -> Result<Complete, Problem> {
    let _turn = app.turns.inspecting.acquire().await.map_err(|error| Problem::internal(&error))?;
    let file = file.try_clone().map_err(broken)?;
    let looked = tokio::task::spawn_blocking(move || inspect(&file)).await;
    let found = looked.map_err(|error| Problem::internal(&error))?.map_err(broken)?;
    Ok(Complete {
        blob_id: blob_id(&app.master, ask.principal.tenant, &found.sha256),
        sha256: hex::encode(found.sha256),
        expected_sha256,
        size_bytes: found.size_bytes,
        found: found.finding,
    })
}

/// Stores the bytes, unless they are there, and carries out the commands that claim them. Bytes that nobody claimed yet may be
/// swept, so they are looked for again while their place is held.
pub(super) async fn keep(
    app: &App,
    ask: &Ask,
    (file, blob): (&Disk, FileId),
    build: impl Fn() -> Result<Target<File>, Problem>,
) -> Result<Carried, Problem> {
    let tenant = ask.principal.tenant;
    for _ in 0..STORED_AT_MOST {
        if !app.files.holds(tenant, blob).await.map_err(failed)? {
            let mut source = file.try_clone().map_err(broken)?;
            source.rewind().map_err(broken)?;
            app.files.put(tenant, blob, tokio::fs::File::from_std(source)).await.map_err(failed)?;
        }
        let turn = app.turns.claiming.acquire().await;
        let _turn = turn.map_err(|error| Problem::internal(&error))?;
        let mut held = begin_for(&app.pool, tenant).await?;
        sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, $2))")
            .bind(blob.to_string())
            .bind(locks::BLOB)
            .execute(&mut *held)
            .await?;
        if app.files.holds(tenant, blob).await.map_err(failed)? {
            let carried = app.execute(ask, build).await;
            held.commit().await?;
            return carried;
        }
    }
    Err(Problem::unavailable("the bytes were swept while they were stored; send them again"))
}

pub(super) fn failed(error: FileError) -> Problem {
    tracing::error!(error = format!("{:#}", anyhow::Error::new(error)), "the file store failed");
    Problem::unavailable("the file store does not answer; try again in a while")
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of what maps errors")]
pub(super) fn broken(error: std::io::Error) -> Problem {
    tracing::error!(%error, "half-made files cannot be kept");
    Problem::unavailable("the disk for half-made files fails; try again in a while")
}

pub(super) fn of_part(error: PartError) -> Problem {
    match error {
        PartError::Busy => {
            let detail = "another part of this file is being sent; wait for its end";
            Problem::new(StatusCode::LOCKED, "UPLOAD_BUSY", detail).retryable()
        }
        PartError::Disk(error) => broken(error),
    }
}
