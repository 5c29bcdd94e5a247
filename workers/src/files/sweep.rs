//! Bytes that no file holds: found by a look at all, and deleted after a second look while their place is held, so that nobody can
//! claim them in between.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use events::files::file::CONTENT;
use events::{FileId, TenantId};
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use platform::clock;
use platform::db::{begin_for, locks};
use platform::files::{Parts, is_blob};

use crate::runtime::Office;

/// Bytes younger than this may be about to be claimed.
const YOUNG: SignedDuration = SignedDuration::from_hours(24);
/// An upload lives for a day; what was not added to for two belongs to none.
const IDLE: Duration = Duration::from_hours(48);

/// Deletes what uploads left behind that never came to their end, and bytes whose file was never stored.
pub(super) fn sweep(office: &Office, tenant: TenantId) -> BoxFuture<'_, anyhow::Result<()>> {
    async move {
        let parts = Parts::of(&office.files);
        let swept = tokio::task::spawn_blocking(move || parts.sweep(tenant, IDLE)).await;
        swept.context("the sweep of parts panicked")??;
        sweep_before(office, tenant, clock::now() - YOUNG).await
    }
    .boxed()
}

async fn sweep_before(
    office: &Office,
    tenant: TenantId,
    before: jiff::Timestamp,
) -> anyhow::Result<()> {
    let stored: Vec<_> = office.files.list(Some(tenant)).try_collect().await?;
    let old = stored.iter().filter(|file| is_blob(file.id) && file.stored_at < before);
    let mut unclaimed: BTreeSet<FileId> = old.map(|file| file.id).collect();
    if unclaimed.is_empty() {
        return Ok(());
    }
    let claimed: Vec<String> = sqlx::query_scalar(
        "select distinct split_part(key, '/', 1) from log.claims where tenant_id = $1 and namespace = $2",
    )
    .bind(tenant.0)
    .bind(CONTENT)
    .fetch_all(&office.pool)
    .await?;
    for place in claimed.iter().filter_map(|place| place.parse().ok()) {
        unclaimed.remove(&place);
    }
    for blob in unclaimed {
        forget(office, tenant, blob).await?;
    }
    Ok(())
}

/// Deletes bytes, unless a file holds them.
pub(super) async fn forget(office: &Office, tenant: TenantId, blob: FileId) -> anyhow::Result<()> {
    let mut held = begin_for(&office.pool, tenant).await?;
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, $2))")
        .bind(blob.to_string())
        .bind(locks::BLOB)
        .execute(&mut *held)
        .await?;
    let claimed: bool = sqlx::query_scalar(
        "select exists (select from log.claims
          where tenant_id = $1 and namespace = $2 and starts_with(key, $3))",
    )
    .bind(tenant.0)
    .bind(CONTENT)
    .bind(format!("{blob}/"))
    .fetch_one(&mut *held)
    .await?;
    if !claimed {
        office.files.delete(tenant, blob).await?;
    }
    held.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use events::files::Purpose;
    use events::files::file::{Content, Event, File};
    use events::testing::{at, id};
    use platform::files::blob_id;

    use super::*;
    use crate::testing::Log;

    fn content(blob_id: FileId) -> Content {
        Content {
            blob_id,
            sha256: "0f".repeat(32),
            size_bytes: 3,
            media_type: "text/plain".into(),
            uploaded_by: id(1),
        }
    }

    fn initiated() -> Event {
        Event::Initiated {
            name: "x.txt".into(),
            media_type: "text/plain".into(),
            size_bytes: Some(3),
            purpose: Purpose::Attachment,
            uploaded_by: id(1),
            expires_at: at("2026-01-02T12:00:00Z"),
        }
    }

    #[tokio::test]
    async fn bytes_go_when_the_last_file_that_holds_them_does_and_never_before() {
        let log = Log::new().await;
        let (office, _folder) = log.office("http://127.0.0.1:9").await;
        let tenant: TenantId = id(1);
        let place = |byte| blob_id(&office.master, tenant, &[byte; 32]);
        let (held, orphan, export) = (place(1), place(2), id::<FileId>(77));
        for file in [held, orphan, export] {
            office.files.put(tenant, file, b"abc".as_slice()).await.unwrap();
        }
        for number in [10, 11] {
            let stored = Event::Stored { content: content(held), keep_until: None };
            log.append::<File>(tenant, id::<FileId>(number), &[initiated(), stored]).await;
        }
        let holds = async |file| office.files.holds(tenant, file).await.unwrap();
        sweep(&office, tenant).await.unwrap();
        assert!(holds(orphan).await, "what is young may be about to be claimed");
        let later = clock::now() + SignedDuration::from_hours(1);
        sweep_before(&office, tenant, later).await.unwrap();
        assert!(!holds(orphan).await && holds(held).await && holds(export).await);
        let deleted = || Event::Deleted { content: content(held) };
        log.append::<File>(tenant, id::<FileId>(10), &[deleted()]).await;
        forget(&office, tenant, held).await.unwrap();
        assert!(holds(held).await, "another file holds the same bytes");
        log.append::<File>(tenant, id::<FileId>(11), &[deleted()]).await;
        forget(&office, tenant, held).await.unwrap();
        assert!(!holds(held).await);
    }
}
