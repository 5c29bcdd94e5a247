//! Backups go when they were kept for as long as the organisation wants, but never the last good one.

use anyhow::Context as _;
use events::TenantId;
use events::backups::backup::Backup;
use events::job::State;
use events::settings::Key;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use platform::clock;
use platform::commands::CommandError;
use serde_json::json;
use uuid::Uuid;

use super::make::file_of;
use crate::making::state;
use crate::runtime::{Done, Job, Office, Trouble, id_caused_by};

pub(super) fn sweep(office: &Office, tenant: TenantId) -> BoxFuture<'_, anyhow::Result<()>> {
    async move {
        let kept = office.setting(tenant, Key::BackupsKeptDays).await?;
        let days = kept.integer().context("backups.kept_days is no number")?;
        let before = clock::now() - SignedDuration::from_hours(24 * days);
        for backup in made_before(office, tenant, before).await? {
            let path = format!("/backups/{backup}/expire");
            let key = id_caused_by("backups_expire", &tenant.to_string(), &path);
            match office.commands.post(tenant, &path, key, &json!({})).await {
                // The read model may not know yet what became of it.
                Ok(_) | Err(CommandError::Refused(_)) => {}
                Err(error @ CommandError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Ok(())
    }
    .boxed()
}

/// The backups that ended before a moment and have a younger one behind them of the same scope that nobody found damaged.
async fn made_before(
    office: &Office,
    tenant: TenantId,
    before: Timestamp,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut transaction = platform::db::begin_for(&office.pool, tenant).await?;
    let found = sqlx::query_scalar(
        "select b.backup_id from read.backups_backups b
          where b.tenant_id = $1 and b.status = 'succeeded' and b.ended_at < $2
            and exists (select from read.backups_backups y
              where y.tenant_id = b.tenant_id and y.scope = b.scope and y.status = 'succeeded'
                and y.verification <> 'failed' and (y.ended_at, y.backup_id) > (b.ended_at, b.backup_id))
          order by b.ended_at",
    )
    .bind(tenant.0)
    .bind(before.to_sqlx())
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found)
}

/// Deletes the file of a backup that has expired.
pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let backup = state::<Backup>(office, job).await?;
        let (State::Expired, Some(archive)) = (backup.state.job.state, &backup.state.made) else {
            return Ok(Done::Cancelled);
        };
        let file = file_of(&archive.location).context("the backup's location names no file")?;
        office.archives.delete(job.tenant_id, file).await.map_err(anyhow::Error::from)?;
        Ok(Done::Finished)
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use platform::testkit::door::{server, token};

    use super::*;
    use crate::testing::Log;

    #[tokio::test]
    async fn old_backups_go_but_never_the_last_good_one() {
        let log = Log::new().await;
        let (tenant, other): (TenantId, TenantId) = (id(1), id(2));
        let rows = "insert into read.backups_backups (tenant_id, backup_id, name, scope, status, attempts, verification,
              verification_errors, ended_at, version, created_at, changed_at)
            select t, b, 'B', 'tenant', s, 1, v, '[]', now() - age, 1, now(), now()
              from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::interval[]) n (t, b, s, v, age)";
        let of = |number: u128| id::<TenantId>(number).0;
        sqlx::query(rows)
            .bind(vec![tenant.0, tenant.0, tenant.0, tenant.0, other.0, other.0])
            .bind(vec![of(11), of(12), of(13), of(14), of(15), of(16)])
            .bind(vec!["succeeded", "succeeded", "failed", "succeeded", "succeeded", "succeeded"])
            .bind(vec!["none", "none", "none", "failed", "none", "passed"])
            .bind(vec!["300 days", "200 days", "150 days", "100 days", "300 days", "1 day"])
            .execute(&log.owner().await)
            .await
            .unwrap();
        let ok = || (200, json!({}));
        let (door, asked) = server(vec![token("t"), ok(), token("t"), ok()]).await;
        let (office, _folder) = log.office(&door).await;
        let expired = |number| format!("POST /api/v1/backups/{}/expire ", of(number));
        sweep(&office, tenant).await.unwrap();
        let first = asked.lock().unwrap().clone();
        // 12 is the last that is good: 13 was never made, and 14 is damaged, which does not make it go.
        assert_eq!(first.len(), 2, "{first:?}");
        assert!(first[1].starts_with(&expired(11)), "{first:?}");
        sweep(&office, other).await.unwrap();
        let second = asked.lock().unwrap().clone();
        assert_eq!(second.len(), 4, "{second:?}");
        assert!(second[3].starts_with(&expired(15)), "{second:?}");
    }
}
