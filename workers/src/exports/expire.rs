//! Files of exports go: when their time is over, when somebody deletes them, or when the organisation cleans up.

use anyhow::Context as _;
use events::TenantId;
use events::exports::export::Export;
use events::job::State;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Stored, ToSqlx};
use platform::clock;
use platform::commands::CommandError;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::making::{delete, state};
use crate::runtime::{Done, Job, Office, Trouble, id_caused_by};

/// The most of one look.
const BATCH: i64 = 1_000;

/// Lets the files go whose time is over; what is more than one look finds, the next round does.
pub(super) fn sweep(office: &Office, tenant: TenantId) -> BoxFuture<'_, anyhow::Result<()>> {
    async move {
        for export in expired(office, tenant).await? {
            let path = format!("/exports/{export}/expire");
            let key = id_caused_by("exports_expire", &tenant.to_string(), &path);
            ask(office, tenant, (&path, key)).await?;
        }
        Ok(())
    }
    .boxed()
}

/// Asks for the end of a file. A refusal is as good: the read model may not know yet what became of it.
async fn ask(
    office: &Office,
    tenant: TenantId,
    (path, key): (&str, Uuid),
) -> Result<(), CommandError> {
    match office.commands.post(tenant, path, key, &json!({})).await {
        Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
        Err(error @ CommandError::Unavailable(_)) => Err(error),
    }
}

async fn expired(office: &Office, tenant: TenantId) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut transaction = platform::db::begin_for(&office.pool, tenant).await?;
    let found = sqlx::query_scalar(
        "select export_id from read.exports_exports
          where tenant_id = $1 and status = 'succeeded' and expires_at <= $2
          order by expires_at limit $3",
    )
    .bind(tenant.0)
    .bind(clock::now().to_sqlx())
    .bind(BATCH)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found)
}

/// What a clean-up takes away, as its event says.
#[derive(Deserialize)]
struct Old {
    made_before: Timestamp,
}

/// Lets the files go that were made before a moment, one look after the other; archived ones stay.
pub(super) fn clean_up<'a>(
    office: &'a Office,
    job: &'a Job,
) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let Old { made_before } =
            serde_json::from_value(job.body.clone()).context("the job does not say what is old")?;
        let mut last = None;
        loop {
            let found = made_after(office, job.tenant_id, last, made_before).await?;
            for (_, export) in &found {
                let path = format!("/exports/{export}/clean-up");
                let key = job.key(&format!("clean-up/{export}"));
                let asked = ask(office, job.tenant_id, (&path, key)).await;
                asked.map_err(anyhow::Error::from)?;
            }
            match found.last() {
                Some((at, export)) => last = Some((at.to_jiff(), *export)),
                None => return Ok(Done::Finished),
            }
        }
    }
    .boxed()
}

/// The oldest files after one of them, up to a moment.
async fn made_after(
    office: &Office,
    tenant: TenantId,
    after: Option<(Timestamp, Uuid)>,
    before: Timestamp,
) -> Result<Vec<(Stored, Uuid)>, sqlx::Error> {
    let (at, export) = after.unwrap_or((Timestamp::UNIX_EPOCH, Uuid::nil()));
    let mut transaction = platform::db::begin_for(&office.pool, tenant).await?;
    let found = sqlx::query_as(
        "select ended_at, export_id from read.exports_exports
          where tenant_id = $1 and status = 'succeeded' and archived_at is null
            and ended_at < $2 and (ended_at, export_id) > ($3, $4)
          order by ended_at, export_id limit $5",
    )
    .bind(tenant.0)
    .bind(before.to_sqlx())
    .bind(at.to_sqlx())
    .bind(export)
    .bind(BATCH)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found)
}

/// Removes the file of an export that is over.
pub(super) fn remove<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let export = state::<Export>(office, job).await?.state;
        if export.job.state != State::Expired {
            return Ok(Done::Cancelled);
        }
        delete::<Export>(office, job, export.job.attempts).await?;
        Ok(Done::Finished)
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use events::exports::export::{Event, File, Wishes};
    use events::testing::id;
    use events::{ExportId, FileId, UserId};
    use platform::testkit::door::{problem, server, token};

    use super::*;
    use crate::making::file_id;
    use crate::testing::{Log, requested};

    /// Finished exports, by number and age in hours, in the read model alone.
    async fn shown(log: &Log, tenant: TenantId, exports: &[(u128, &str, bool)]) {
        let rows = "insert into read.exports_exports (tenant_id, export_id, requested_by, format, dataset, columns, sort, locale,
              time_zone, status, attempts, rows_done, downloads, ended_at, expires_at, archived_at, version, created_at, changed_at)
            select $1, i, i, 'csv', 'rbac.roles', '[]', '[]', 'en', 'UTC', 'succeeded', 1, 0, 0, now() - age,
              case when kept then null else now() - age + interval '14 days' end, case when kept then now() end, 1, now(), now()
              from unnest($2::uuid[], $3::interval[], $4::boolean[]) n (i, age, kept)";
        let ids: Vec<Uuid> = exports.iter().map(|(number, ..)| id::<UserId>(*number).0).collect();
        let ages: Vec<&str> = exports.iter().map(|(_, age, _)| *age).collect();
        let kept: Vec<bool> = exports.iter().map(|(.., kept)| *kept).collect();
        let rows = sqlx::query(rows).bind(tenant.0).bind(ids).bind(ages).bind(kept);
        rows.execute(&log.owner().await).await.unwrap();
    }

    fn posted(asked: &[String]) -> Vec<String> {
        let line = |request: &String| request.lines().next().unwrap_or_default().to_owned();
        asked.iter().map(line).filter(|line| line.contains("/exports/")).collect()
    }

    fn of(number: u128, verb: &str) -> String {
        format!("POST /api/v1/exports/{}/{verb} HTTP/1.1", id::<UserId>(number).0)
    }

    #[tokio::test]
    async fn files_expire_when_their_time_is_over_and_archived_ones_do_not() {
        let log = Log::new().await;
        shown(
            &log,
            id(1),
            &[(11, "15 days", false), (12, "13 days", false), (13, "90 days", true)],
        )
        .await;
        shown(&log, id(2), &[(14, "90 days", false)]).await;
        let (door, asked) = server(vec![token("t"), (200, json!({}))]).await;
        let (office, _folder) = log.office(&door).await;
        sweep(&office, id(1)).await.unwrap();
        assert_eq!(posted(&asked.lock().unwrap()), [of(11, "expire")]);
    }

    fn job(subject_id: String, body: serde_json::Value) -> Job {
        Job {
            id: Uuid::nil(),
            tenant_id: id(1),
            subject_id,
            body,
            cause: platform::commands::Cause::default(),
            attempt: 1,
            max_attempts: 5,
            error: None,
        }
    }

    #[tokio::test]
    async fn a_clean_up_lets_old_files_go_whatever_becomes_of_the_others() {
        let log = Log::new().await;
        let all = [
            (11, "9 days", false),
            (12, "8 days", false),
            (13, "9 days", true),
            (14, "6 days", false),
        ];
        shown(&log, id(1), &all).await;
        let (door, asked) = server(vec![token("t"), problem(409), (200, json!({}))]).await;
        let (office, _folder) = log.office(&door).await;
        let week = clock::now() - jiff::SignedDuration::from_hours(7 * 24);
        let body =
            json!({"type": "exports.cleanup.requested", "days_to_keep": 7, "made_before": week});
        let job = job(id::<UserId>(1).to_string(), body);
        assert_eq!(clean_up(&office, &job).await.unwrap(), Done::Finished);
        assert_eq!(posted(&asked.lock().unwrap()), [of(11, "clean-up"), of(12, "clean-up")]);
    }

    #[tokio::test]
    async fn a_file_that_is_over_leaves_the_store() {
        let log = Log::new().await;
        let (door, _) = server(Vec::new()).await;
        let (office, _folder) = log.office(&door).await;
        let (tenant, export): (TenantId, ExportId) = (id(1), id(11));
        let job = job(export.to_string(), json!({}));
        let file: FileId = file_id::<Export>(&job, 1);
        office.files.put(tenant, file, &b"rows"[..]).await.unwrap();
        let completed = Event::Completed(File {
            file_id: file,
            file_name: "roles.csv".into(),
            size_bytes: 4,
            sha256: "0".repeat(64),
            rows: 1,
            position: 1,
            expires_at: clock::now(),
            units: Vec::new(),
            manifest: None,
        });
        let asked = requested(Wishes::default());
        let started = Event::Started { attempt: 1, worker: "w".into() };
        log.append::<Export>(tenant, export, &[asked, started, completed]).await;
        assert_eq!(remove(&office, &job).await.unwrap(), Done::Cancelled, "it is still wanted");
        assert!(office.files.get(tenant, file, None).await.is_ok());
        log.append::<Export>(tenant, export, &[Event::Deleted { by: id(2) }]).await;
        assert_eq!(remove(&office, &job).await.unwrap(), Done::Finished);
        assert!(office.files.get(tenant, file, None).await.is_err());
        // A job that is done again finds nothing to do.
        assert_eq!(remove(&office, &job).await.unwrap(), Done::Finished);
    }
}
