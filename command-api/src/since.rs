//! What happened to a record after the version that a client decided on: a version conflict tells it, so that a person can see
//! whether the decision still holds.

use std::collections::HashMap;
use std::sync::OnceLock;

use events::Permission;
use events::envelope::meta;
use jiff_sqlx::Timestamp;
use platform::access::{Standing, authorize};
use platform::db;
use platform::problem::{Conflict, Problem, Since};

use crate::app::App;
use crate::pipeline::Ask;

/// What a conflict tells of at most; who is further behind reads the history.
const TOLD_MOST: i64 = 50;

/// The record that was expected to be at another version.
pub(crate) struct Moved<'a> {
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
    /// Event types after which the command means what it meant before.
    pub(crate) commutes: &'static [&'static str],
}

impl App {
    /// The conflict with the events in between; of others' acts, only who may read the trail learns whose they were.
    pub(crate) async fn told(
        &self,
        ask: &Ask,
        standing: Option<&Standing>,
        moved: &Moved<'_>,
        problem: Problem,
    ) -> Result<Problem, Problem> {
        let Some(known) = ask.manner.if_match else { return Ok(problem) };
        let mut transaction = db::begin_for(&self.pool, ask.principal.tenant).await?;
        let rows: Vec<(String, i64, Timestamp, Option<String>)> = sqlx::query_as(
            "select event_type, sequence, recorded_at, metadata ->> $5 from log.events
              where tenant_id = $1 and aggregate_type = $2 and aggregate_id = $3 and sequence > $4
              order by sequence limit $6",
        )
        .bind(ask.principal.tenant.0)
        .bind(moved.kind)
        .bind(moved.id)
        .bind(known)
        .bind(meta::ACTOR_ID)
        .bind(TOLD_MOST)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let tells = authorize(&ask.principal, standing, Permission::AuditTrailRead).is_ok();
        let since = rows.into_iter().map(|(kind, version, at, actor)| Since {
            actor: actor.filter(|actor| tells || *actor == ask.principal.actor.id),
            at: at.to_jiff(),
            summary: meaning(&kind).to_owned(),
            kind,
            version,
        });
        let since: Vec<Since> = since.collect();
        let commutes = |event: &Since| moved.commutes.contains(&event.kind.as_str());
        let safe_to_retry = !since.is_empty() && since.iter().all(commutes);
        let conflict = Some(Box::new(Conflict { since, safe_to_retry }));
        Ok(Problem { conflict, ..problem })
    }
}

/// What an event type means, in the words of the catalogue.
fn meaning(event_type: &str) -> &'static str {
    static MEANINGS: OnceLock<HashMap<String, String>> = OnceLock::new();
    let meanings = MEANINGS.get_or_init(|| {
        let entries = events::catalogue::all().into_iter();
        entries.map(|entry| (entry.event_type, entry.description)).collect()
    });
    meanings.get(event_type).map_or("", String::as_str)
}
