//! Timers: commands that are posted when their time has come, by whoever leads, each under a key that follows from what it is about.
//!
//! Nothing waits for a timer to be refused: whatever ends is over by the clock. The timer only lets the log say so. A kill between the
//! command and the forgetting of its timer lets the next leader post the same command under the same key, which changes nothing.

use std::time::Duration;

use events::TenantId;
use metrics::counter;
use platform::commands::{CommandError, Commands};
use platform::db::{self, Role, locks};
use platform::lifecycle::Shutdown;
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Reminder, id_caused_by};

/// How often it is looked for what is due.
const POLL: Duration = Duration::from_secs(1);
/// Timers of one look.
const BATCH: i64 = 100;
/// Why nothing will ever be recorded of an organisation again.
const GONE: &str = "ORGANIZATION_PURGED";

/// Posts what is due.
pub(super) struct Timers {
    url: String,
    commands: Commands,
}

/// A timer whose time has come.
#[derive(FromRow)]
struct Due {
    tenant_id: Uuid,
    kind: String,
    subject_id: String,
    at_us: i64,
    path: String,
    body: Value,
    attempt: i32,
}

impl Timers {
    pub(super) fn new(url: &str, commands: Commands) -> Self {
        Self { url: url.to_owned(), commands }
    }

    /// Leads or stands by until the signal; an outage is waited out.
    pub(super) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        // What was not forgotten is posted again.
        shutdown.work("timers", || self.lead(&shutdown)).await;
        Ok(())
    }

    async fn lead(&self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let place = (self.url.as_str(), Role::Workers);
        let led = db::connect_leading(place, locks::TIMERS, POLL, shutdown).await?;
        let Some(mut connection) = led else { return Ok(()) };
        while !shutdown.begun() {
            if !self.round(&mut connection).await? {
                shutdown.sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Posts what is due, a batch at most; whether there may be more. What was not done is put off, each time for longer.
    pub(super) async fn round(&self, connection: &mut PgConnection) -> anyhow::Result<bool> {
        let due: Vec<Due> = sqlx::query_as(DUE).bind(BATCH).fetch_all(&mut *connection).await?;
        let full = i64::try_from(due.len()).is_ok_and(|count| count == BATCH);
        for timer in due {
            let tenant = TenantId(timer.tenant_id);
            match self.commands.post(tenant, &timer.path, timer.key(), &timer.body).await {
                Ok(_) => {
                    counter!("timers_total", "kind" => timer.kind.clone()).increment(1);
                    timer.settle(connection, DONE, None).await?;
                }
                // Set by a reaction that was behind when the organisation ended.
                Err(CommandError::Refused(problem)) if problem.code == GONE => {
                    timer.settle(connection, DONE, None).await?;
                }
                Err(error) => {
                    if let CommandError::Unavailable(cause) = &error {
                        tracing::debug!(error = format!("{cause:#}"), "a timer was not answered");
                    }
                    timer.settle(connection, PUT_OFF, Some(&error.to_string())).await?;
                }
            }
        }
        Ok(full)
    }
}

impl Due {
    /// The same however often this attempt is made; a refusal is kept under its key, so the next attempt has another.
    fn key(&self) -> Uuid {
        let subject = format!("{}/{}/{}", self.tenant_id, self.kind, self.subject_id);
        id_caused_by("timer", &subject, &format!("{}/{}", self.at_us, self.attempt))
    }

    /// Forgets the timer or puts it off, unless it was set anew meanwhile.
    async fn settle(
        &self,
        connection: &mut PgConnection,
        statement: &'static str,
        error: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(statement)
            .bind(self.tenant_id)
            .bind(&self.kind)
            .bind(&self.subject_id)
            .bind(self.at_us)
            .bind(error)
            .execute(connection)
            .await
            .map(|_| ())
    }
}

/// Sets a timer, or sets it anew.
pub(super) async fn set(
    database: &mut PgConnection,
    tenant: TenantId,
    reminder: &Reminder,
) -> Result<(), sqlx::Error> {
    sqlx::query(SET)
        .bind(tenant.0)
        .bind(reminder.kind)
        .bind(&reminder.subject_id)
        .bind(reminder.due_at.as_microsecond())
        .bind(&reminder.path)
        .bind(&reminder.body)
        .execute(database)
        .await
        .map(|_| ())
}

/// Forgets a timer.
pub(super) async fn unset(
    database: &mut PgConnection,
    tenant: TenantId,
    kind: &str,
    subject_id: &str,
) -> Result<(), sqlx::Error> {
    let forget = sqlx::query(UNSET).bind(tenant.0).bind(kind).bind(subject_id);
    forget.execute(database).await.map(|_| ())
}

/// A moment later than due: what is due at a fraction of a microsecond is over then as well.
const DUE: &str = "
    select tenant_id, kind, subject_id, (extract(epoch from due_at) * 1000000)::bigint as at_us, path, body, attempt
      from work.timers where run_at <= now() - interval '1 millisecond'
     order by run_at limit $1";

const DONE: &str = "
    delete from work.timers where tenant_id = $1 and kind = $2 and subject_id = $3
       and (extract(epoch from due_at) * 1000000)::bigint = $4 and $5::text is null";

/// 5 s, 20 s, 80 s ... an hour at most.
const PUT_OFF: &str = "
    update work.timers
       set attempt = attempt + 1, error = $5,
           run_at = now() + least(interval '1 hour', interval '5 seconds' * 4 ^ least(attempt, 6))
     where tenant_id = $1 and kind = $2 and subject_id = $3 and (extract(epoch from due_at) * 1000000)::bigint = $4";

const SET: &str = "
    insert into work.timers as old (tenant_id, kind, subject_id, due_at, path, body, run_at)
    select $1, $2, $3, due.at, $5, $6, due.at
      from (select 'epoch'::timestamptz + interval '1 microsecond' * $4::bigint as at) due
    on conflict (tenant_id, kind, subject_id) do update
       set due_at = excluded.due_at, path = excluded.path, body = excluded.body, run_at = excluded.run_at,
           attempt = 0, error = null";

const UNSET: &str = "
    delete from work.timers where tenant_id = $1 and kind = $2 and subject_id = $3";

#[cfg(test)]
mod tests {
    use events::testing::id;
    use platform::clock;
    use platform::testkit::door::{problem, server, token};
    use serde_json::json;

    use super::*;
    use crate::testing::Log;

    fn reminder(subject: &str, seconds: i64) -> Reminder {
        Reminder {
            kind: "test.end",
            subject_id: subject.into(),
            due_at: clock::now() + jiff::SignedDuration::from_secs(seconds),
            path: format!("/things/{subject}/expire"),
            body: json!({"of": subject}),
        }
    }

    async fn left(connection: &mut PgConnection) -> Vec<(String, i32, bool)> {
        sqlx::query_as(
            "select subject_id, attempt, run_at > now() + interval '3 seconds' from work.timers order by subject_id",
        )
        .fetch_all(connection)
        .await
        .unwrap()
    }

    fn keys(asked: &[String]) -> Vec<String> {
        let lines = asked.iter().flat_map(|request| request.lines());
        lines.filter_map(|line| line.strip_prefix("idempotency-key: ").map(str::to_owned)).collect()
    }

    #[tokio::test]
    async fn what_is_due_is_posted_and_forgotten_and_what_is_refused_is_put_off() {
        let log = Log::new().await;
        let mut connection = log.workers.acquire().await.unwrap();
        for (subject, seconds) in [("late", -60), ("now", -1), ("tomorrow", 86_400)] {
            set(&mut connection, id(1), &reminder(subject, seconds)).await.unwrap();
        }
        set(&mut connection, id(1), &reminder("moved", -5)).await.unwrap();
        set(&mut connection, id(1), &reminder("moved", 86_400)).await.unwrap();
        set(&mut connection, id(1), &reminder("gone", -5)).await.unwrap();
        unset(&mut connection, id(1), "test.end", "gone").await.unwrap();
        let (base, asked) = server(vec![token("t"), problem(409), (200, json!({}))]).await;
        let timers = Timers::new(&log.database.url, Commands::new(&base, "workers", "s").unwrap());
        assert!(!timers.round(&mut connection).await.unwrap());
        let expected =
            [("late".into(), 1, true), ("moved".into(), 0, true), ("tomorrow".into(), 0, true)];
        assert_eq!(left(&mut connection).await, expected);
        let asked = asked.lock().unwrap().clone();
        assert!(asked[1].starts_with("POST /api/v1/things/late/expire "), "{}", asked[1]);
        assert!(asked[2].contains(r#"{"of":"now"}"#), "{}", asked[2]);
        assert!(!timers.round(&mut connection).await.unwrap(), "nothing is due any more");
    }

    #[tokio::test]
    async fn what_was_to_be_recorded_of_a_purged_organisation_is_forgotten() {
        let log = Log::new().await;
        let mut connection = log.workers.acquire().await.unwrap();
        set(&mut connection, id(1), &reminder("late", -60)).await.unwrap();
        let (status, mut gone) = problem(403);
        gone["code"] = GONE.into();
        let (base, _) = server(vec![token("t"), (status, gone)]).await;
        let timers = Timers::new(&log.database.url, Commands::new(&base, "workers", "s").unwrap());
        timers.round(&mut connection).await.unwrap();
        assert_eq!(left(&mut connection).await, []);
    }

    #[tokio::test]
    async fn a_leader_that_is_killed_before_it_forgets_is_followed_by_one_that_posts_the_same() {
        let log = Log::new().await;
        let mut connection = log.workers.acquire().await.unwrap();
        set(&mut connection, id(1), &reminder("late", -60)).await.unwrap();
        let ok = || (200, json!({}));
        let (base, asked) = server(vec![token("t"), ok(), ok(), problem(503), ok()]).await;
        let timers = Timers::new(&log.database.url, Commands::new(&base, "workers", "s").unwrap());
        let before: Vec<Due> =
            sqlx::query_as(DUE).bind(BATCH).fetch_all(&mut *connection).await.unwrap();
        let killed = &before[0];
        let posted = timers.commands.post(id(1), &killed.path, killed.key(), &killed.body).await;
        posted.unwrap(); // and here it is killed
        timers.round(&mut connection).await.unwrap();
        assert_eq!(left(&mut connection).await, []);
        let same = keys(&asked.lock().unwrap());
        assert_eq!(same[0], same[1]);

        set(&mut connection, id(1), &reminder("late", -60)).await.unwrap();
        timers.round(&mut connection).await.unwrap();
        assert_eq!(left(&mut connection).await, [("late".into(), 1, true)]);
        sqlx::query("update work.timers set run_at = now() - interval '1 second'")
            .execute(&mut *connection)
            .await
            .unwrap();
        timers.round(&mut connection).await.unwrap();
        assert_eq!(left(&mut connection).await, []);
        let keys = keys(&asked.lock().unwrap());
        assert_ne!(keys[2], keys[3], "a refusal is kept under its key");
    }
}
