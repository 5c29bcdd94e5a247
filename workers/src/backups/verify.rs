//! Verifies a stored backup and reports what was found.

use std::io::BufReader;

use anyhow::{Context as _, anyhow};
use events::backups::backup::{Archive, Backup};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::files::FileError;
use serde_json::json;

use super::archive::{self, Report};
use super::make::{file_of, manifest_sha256};
use crate::making::{report, state};
use crate::runtime::{Done, Job, Office, Trouble};

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let backup = state::<Backup>(office, job).await?;
        let Ok(stored) = backup.state.archive() else {
            return Ok(Done::Failed("there is nothing to verify".into()));
        };
        let found = verify(office, job, stored.clone()).await?;
        record(office, job, &found).await?;
        Ok(Done::Finished)
    }
    .boxed()
}

/// Verifies, and tells nobody else what was found.
pub(super) fn test<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let backup = state::<Backup>(office, job).await?;
        let Ok(stored) = backup.state.archive() else {
            return Ok(Done::Failed("there is nothing to verify".into()));
        };
        let found = verify(office, job, stored.clone()).await?;
        Ok(if found.whole() { Done::Finished } else { Done::Failed(found.errors.join("; ")) })
    }
    .boxed()
}

/// A verification that cannot be done is one that failed.
pub(super) fn give_up<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        let reason = job.error.clone().unwrap_or_else(|| "the worker fell silent".into());
        let errors = vec![format!("the backup cannot be read: {reason}")];
        let report = Report { manifest: None, checks: 0, events: 0, files: 0, errors };
        record(office, job, &report).await.map_err(|Trouble(error)| error)
    }
    .boxed()
}

async fn record(office: &Office, job: &Job, found: &Report) -> Result<(), Trouble> {
    let body = json!({"ok": found.whole(), "checks": found.checks, "errors": found.errors});
    report::<Backup>(office, job, "verification", "verification", body).await
}

async fn verify(office: &Office, job: &Job, stored: Archive) -> anyhow::Result<Report> {
    let file = file_of(&stored.location).context("the backup's location names no file")?;
    let file = match office.archives.open_local(job.tenant_id, file).await {
        Ok(file) => file,
        Err(FileError::Absent) => {
            let errors = vec!["the file is gone".to_owned()];
            return Ok(Report { manifest: None, checks: 1, events: 0, files: 0, errors });
        }
        Err(error) => return Err(error.into()),
    };
    let key = office.key.clone();
    let verifying =
        tokio::task::spawn_blocking(move || archive::verify(BufReader::new(file), &key));
    let mut found = verifying.await.map_err(|error| anyhow!("the verifier ended: {error}"))??;
    found.checks += 1;
    if let Some(manifest) = &found.manifest
        && manifest_sha256(manifest)? != stored.manifest_sha256
    {
        found.errors.push("the file is whole, but it is not the backup that the log knows".into());
    }
    Ok(found)
}
