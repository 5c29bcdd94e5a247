//! What is alike in whatever work workers make a file for: where it stands, how they report on it, and what is left of its attempts.

use events::FileId;
use events::job::{State, Work};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::commands::CommandError;
use platform::files::Files;
use platform::fold::{Folded, fold};
use serde_json::{Value, json};

use crate::runtime::{Job, Office, Trouble, id_caused_by};

/// Work of which every attempt makes a file.
pub(crate) trait Filed: Work {
    /// Where its files are stored.
    fn store(office: &Office) -> &Files;

    /// What an attempt stores besides its file, if anything.
    fn beside(_: &Job, _: u32) -> Option<FileId> {
        None
    }
}

/// The work that a job is about, as the log has it now.
pub(crate) async fn state<W: Work>(office: &Office, job: &Job) -> anyhow::Result<Folded<W>> {
    Ok(fold(&office.pool, job.tenant_id, &job.subject_id, Folded::default()).await?)
}

/// Posts a command about the work: for each `step` of the job once, however often it is posted.
pub(crate) async fn post<W: Work>(
    office: &Office,
    job: &Job,
    command: &str,
    step: &str,
    body: Value,
) -> Result<(), CommandError> {
    let path = format!("/{}s/{}/{command}", W::KIND, job.subject_id);
    office.commands.post(job.tenant_id, &path, job.key(step), &body).await.map(|_| ())
}

/// The same, where a refusal means that the job has to be looked at again.
pub(crate) async fn report<W: Work>(
    office: &Office,
    job: &Job,
    command: &str,
    step: &str,
    body: Value,
) -> Result<(), Trouble> {
    let posted = post::<W>(office, job, command, step, body).await;
    posted.map_err(|error| Trouble(error.into()))
}

/// Says that an attempt begins, and deletes what those before it left.
pub(crate) async fn begin<W: Filed>(
    office: &Office,
    job: &Job,
    attempt: u32,
) -> Result<(), Trouble> {
    let body = json!({"attempt": attempt, "worker": &*office.worker});
    report::<W>(office, job, "start", &format!("start/{attempt}"), body).await?;
    // Left by a worker that died after storing it; since this attempt began, nobody can complete it any more.
    Ok(delete::<W>(office, job, attempt - 1).await?)
}

/// Leaves nothing of work that nobody wants any more, and says so.
pub(crate) fn let_go<'a, W: Filed>(
    office: &'a Office,
    job: &'a Job,
) -> BoxFuture<'a, anyhow::Result<()>> {
    async move {
        let work = state::<W>(office, job).await?.state.job();
        delete::<W>(office, job, work.attempts).await?;
        if work.state == State::Cancelling {
            let step = "confirm-cancel";
            let told = report::<W>(office, job, step, step, json!({})).await;
            told.map_err(|Trouble(error)| error)?;
        }
        Ok(())
    }
    .boxed()
}

/// Each attempt has a file of its own, so that a worker that lost its job cannot touch another's.
pub(crate) fn file_id<W: Work>(job: &Job, attempt: u32) -> FileId {
    let manager = format!("{}s_file", W::KIND);
    FileId(id_caused_by(&manager, &job.subject_id, &attempt.to_string()))
}

/// Deletes the files of the attempts up to `last`, where there are any.
pub(crate) async fn delete<W: Filed>(office: &Office, job: &Job, last: u32) -> anyhow::Result<()> {
    for attempt in 1..=last {
        let stored = std::iter::once(file_id::<W>(job, attempt)).chain(W::beside(job, attempt));
        for id in stored {
            W::store(office).delete(job.tenant_id, id).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use events::backups::backup::Backup;
    use events::exports::export::Export;
    use events::testing::id;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn files_are_found_by_the_ids_that_they_always_had() {
        let job = Job {
            id: Uuid::nil(),
            tenant_id: id(1),
            subject_id: "01900000-0000-7000-8000-000000000001".into(),
            body: Value::Null,
            cause: platform::commands::Cause::default(),
            attempt: 1,
            max_attempts: 5,
            error: None,
        };
        let known = |id: FileId| id.to_string();
        assert_eq!(known(file_id::<Export>(&job, 2)), "bcfc3bf5-f7e9-5348-888e-de2466d7ea03");
        assert_eq!(known(file_id::<Backup>(&job, 2)), "2aa22a7e-4ff0-5a5c-8c19-05f6089912e2");
    }
}
