//! Notifications go when they were kept for as long as the organisation wants; the log says so, so that no rebuild brings them back.

use anyhow::Context as _;
use events::TenantId;
use events::settings::Key;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use platform::clock;
use platform::commands::CommandError;
use serde_json::json;
use uuid::Uuid;

use crate::runtime::{Office, id_caused_by};

/// The most of one look; the next look finds the rest.
const BATCH: i64 = 1_000;

pub(super) fn sweep(office: &Office, tenant: TenantId) -> BoxFuture<'_, anyhow::Result<()>> {
    async move {
        let kept = office.setting(tenant, Key::NotificationsKeptDays).await?;
        let days = kept.integer().context("notifications.kept_days is no number")?;
        let before = clock::now() - SignedDuration::from_hours(24 * days);
        for notification in created_before(office, tenant, before).await? {
            let path = format!("/notifications/{notification}/expire");
            let key = id_caused_by("notifications_expire", &tenant.to_string(), &path);
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

async fn created_before(
    office: &Office,
    tenant: TenantId,
    before: Timestamp,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut transaction = platform::db::begin_for(&office.pool, tenant).await?;
    let found = sqlx::query_scalar(
        "select notification_id from read.notifications_notifications
          where tenant_id = $1 and created_at < $2 order by created_at limit $3",
    )
    .bind(tenant.0)
    .bind(before.to_sqlx())
    .bind(BATCH)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use events::UserId;
    use events::settings::Value;
    use events::settings::configuration::{Configuration, Event};
    use events::testing::id;
    use platform::testkit::door::{problem, server, token};

    use super::*;
    use crate::testing::Log;

    #[tokio::test]
    async fn notifications_older_than_the_organisation_keeps_them_are_taken_away() {
        let log = Log::new().await;
        let tenant: TenantId = id(1);
        let rows = "insert into read.notifications_notifications (tenant_id, notification_id, user_id, kind, title, message,
              priority, version, created_at, changed_at)
            select t, i, i, 'message', 'T', '', 'normal', 1, now() - age, now()
              from unnest($1::uuid[], $2::uuid[], $3::interval[]) n (t, i, age)";
        let of = |number: u128| id::<UserId>(number).0;
        sqlx::query(rows)
            .bind(vec![tenant.0, tenant.0, tenant.0, id::<TenantId>(2).0])
            .bind(vec![of(11), of(12), of(13), of(14)])
            .bind(vec!["8 days", "9 days", "6 days", "300 days"])
            .execute(&log.owner().await)
            .await
            .unwrap();
        let ok = || (200, json!({}));
        let (door, asked) = server(vec![token("t"), problem(404), ok()]).await;
        let (office, _folder) = log.office(&door).await;
        sweep(&office, tenant).await.unwrap();
        assert_eq!(asked.lock().unwrap().len(), 0, "a year by default");
        let week =
            Event::SettingChosen { key: Key::NotificationsKeptDays, value: Value::Integer(7) };
        log.append::<Configuration>(tenant, tenant, &[week]).await;
        sweep(&office, tenant).await.unwrap();
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 3, "{asked:?}");
        for (asked, number) in asked[1..].iter().zip([12, 11]) {
            let path = format!("POST /api/v1/notifications/{}/expire ", of(number));
            assert!(asked.starts_with(&path), "{asked}");
        }
    }
}
