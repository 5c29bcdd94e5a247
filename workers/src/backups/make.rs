//! Makes a backup, stores it and reports how it went.

use std::io::BufWriter;

use anyhow::{Context as _, anyhow};
use events::backups::backup::{Backup, Scope};
use events::job::State;
use events::{BackupId, FileId};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::commands::CommandError;
use platform::files::StoredFile;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::archive::{self, Manifest, Source};
use crate::making::{begin, file_id, let_go, post, report, state};
use crate::runtime::{Done, Job, Office, Trouble};

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let backup = state::<Backup>(office, job).await?;
        match backup.state.job.state {
            State::Absent => return Err(anyhow!("there is no backup {}", job.subject_id).into()),
            State::Succeeded | State::Failed | State::Expired => return Ok(Done::Finished),
            State::Cancelling | State::Cancelled => {
                let_go::<Backup>(office, job).await?;
                return Ok(Done::Cancelled);
            }
            State::Queued | State::Running => {}
        }
        let attempt = backup.state.job.attempts + 1;
        begin::<Backup>(office, job, attempt).await?;
        let (stored, manifest) = make(office, job, attempt, backup.state.scope).await?;
        complete(office, job, attempt, &stored, &manifest).await
    }
    .boxed()
}

pub(super) fn give_up<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        let backup = state::<Backup>(office, job).await?;
        match backup.state.job.state {
            State::Queued | State::Running => {
                let attempt = backup.state.job.attempts;
                let message = job.error.clone().unwrap_or_else(|| "the worker fell silent".into());
                let body = json!({"attempt": attempt, "code": "gave_up", "message": message});
                let told =
                    report::<Backup>(office, job, "fail", &format!("fail/{attempt}"), body).await;
                told.map_err(|Trouble(error)| error)
            }
            State::Cancelling => let_go::<Backup>(office, job).await,
            State::Absent
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired => Ok(()),
        }
    }
    .boxed()
}

/// Makes the backup and throws it away.
pub(super) fn test<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let scope = state::<Backup>(office, job).await?.state.scope;
        written(office, job, scope).await?;
        Ok(Done::Finished)
    }
    .boxed()
}

/// Written beside its place first: whoever lists the store sees whole backups only.
async fn make(
    office: &Office,
    job: &Job,
    attempt: u32,
    scope: Scope,
) -> anyhow::Result<(StoredFile, Manifest)> {
    let (file, manifest) = written(office, job, scope).await?;
    let id = file_id::<Backup>(job, attempt);
    let stored = office.archives.keep(job.tenant_id, id, file).await?;
    Ok((stored, manifest))
}

async fn written(
    office: &Office,
    job: &Job,
    scope: Scope,
) -> anyhow::Result<(NamedTempFile, Manifest)> {
    let scope = match scope {
        Scope::Tenant => archive::Scope::Tenant(job.tenant_id),
        Scope::Everything => archive::Scope::Installation,
    };
    let backup_id: BackupId = job.subject_id.parse().context("the backup's id is no UUID")?;
    let file = NamedTempFile::new_in(office.archives.scratch())?;
    let sink = BufWriter::new(file.reopen()?);
    let source = Source { pool: &office.pool, files: &office.files, scope, backup_id };
    let (_, manifest) = archive::write(source, &office.key, sink).await?;
    Ok((file, manifest))
}

async fn complete(
    office: &Office,
    job: &Job,
    attempt: u32,
    stored: &StoredFile,
    manifest: &Manifest,
) -> Result<Done, Trouble> {
    let body = json!({
        "attempt": attempt,
        "to_position": manifest.to_position,
        "events": manifest.events,
        "size_bytes": stored.size_bytes,
        "location": location(job, stored.id),
        "manifest_sha256": manifest_sha256(manifest)?,
        "key_id": manifest.key_id,
    });
    let step = format!("complete/{attempt}");
    match post::<Backup>(office, job, "complete", &step, body).await {
        Ok(()) => Ok(Done::Finished),
        Err(CommandError::Refused(problem)) => {
            // Somebody else's attempt is the latest; this file belongs to nobody.
            let removed = office.archives.delete(job.tenant_id, stored.id).await;
            removed.map_err(anyhow::Error::from)?;
            Err(Trouble(anyhow!("the backup was not accepted: {}", problem.detail)))
        }
        Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
    }
}

/// Where a backup is stored, as the log remembers it.
fn location(job: &Job, file: FileId) -> String {
    format!("backups/{}/{file}", job.tenant_id)
}

/// The file of a location.
pub(super) fn file_of(location: &str) -> Option<FileId> {
    location.rsplit('/').next()?.parse().ok()
}

/// The digest of the manifest's JSON.
pub(super) fn manifest_sha256(manifest: &Manifest) -> anyhow::Result<String> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(manifest)?)))
}
