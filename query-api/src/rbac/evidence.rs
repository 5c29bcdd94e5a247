//! The events behind an answer: read from the log for the request at hand, never on the way of somebody's own request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ::events::rbac::policy::Policy;
use ::events::rbac::resolve::evidence::{Fact, Happened, Mark, Needles, Trace};
use ::events::{TenantId, UserId};
use jiff::Timestamp;
use moka::sync::Cache;
use platform::cloud_event::Lifted;
use platform::dataset::{Bind, Statement};
use platform::log::{Record, UNCHAINED};
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow as _;
use uuid::Uuid;

use super::places::States;
use crate::call::Call;
use crate::past::too_long;

/// The most events that are looked at for one answer.
const MAX_EVENTS: usize = 50_000;
const KEPT: u64 = 10_000;

/// Evidence found before, under the versions that it was found at.
static FOUND: LazyLock<Cache<Key, Evidence>> = LazyLock::new(|| Cache::new(KEPT));

/// An organisation, a fact, and the versions of what the fact hangs on: the policy, the user's roles and their account.
type Key = (TenantId, Fact, [i64; 3]);

/// An event, as far as it answers who did what when.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Origin {
    position: i64,
    event_id: Uuid,
    event_type: String,
    #[schemars(with = "String")]
    recorded_at: Timestamp,
    /// What did it: `user`, `service` or `system`.
    actor_kind: Option<String>,
    /// Who did it.
    actor_id: Option<String>,
}

/// A fact that an answer rests on, and the events that made and ended it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Evidence {
    #[serde(flatten)]
    fact: Fact,
    /// The latest event that made it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Origin>,
    /// The latest event that ended it, where it is so no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Origin>,
}

/// What became of facts, and the events that it hangs on.
pub(super) struct Found {
    marks: BTreeMap<Fact, Mark>,
    origins: BTreeMap<i64, Origin>,
}

impl Found {
    /// What became of one of the facts.
    pub(super) fn of(&self, fact: &Fact) -> Evidence {
        let mark = self.marks.get(fact).copied().unwrap_or_default();
        let origin = |position: Option<i64>| self.origins.get(&position?).cloned();
        let ended = mark.ended.filter(|_| !mark.holds);
        Evidence { fact: fact.clone(), since: origin(mark.made), ended: origin(ended) }
    }

    /// Since when one of the facts is so.
    pub(super) fn since(&self, fact: &Fact) -> Option<Timestamp> {
        let made = self.marks.get(fact)?.made?;
        self.origins.get(&made).map(|origin| origin.recorded_at)
    }

    /// The events that made one of the facts so after a position.
    pub(super) fn made(&self, facts: &[Fact], after: i64) -> Vec<Origin> {
        self.between(facts, after, |mark| mark.made)
    }

    /// The events that ended one of the facts after a position.
    pub(super) fn ended(&self, facts: &[Fact], after: i64) -> Vec<Origin> {
        self.between(facts, after, |mark| mark.ended)
    }

    fn between(
        &self,
        facts: &[Fact],
        after: i64,
        which: impl Fn(&Mark) -> Option<i64>,
    ) -> Vec<Origin> {
        let marks = facts.iter().filter_map(|fact| self.marks.get(fact));
        let positions: BTreeSet<i64> =
            marks.filter_map(which).filter(|position| *position > after).collect();
        positions.iter().filter_map(|position| self.origins.get(position).cloned()).collect()
    }
}

/// The evidence for several answers at once, in their order, each given by the facts that it rests on.
pub(super) async fn for_answers(
    call: &Call,
    states: &States,
    answers: Vec<Vec<Fact>>,
) -> Result<Vec<Vec<Evidence>>, Problem> {
    let key = |fact: &Fact| (call.tenant(), fact.clone(), states.versions(fact));
    let facts = answers.iter().flatten();
    let wanted = facts.filter(|fact| !FOUND.contains_key(&key(fact))).cloned().collect();
    let found = search(call, &states.policy.state, states.moment.position, wanted).await?;
    let evidence = |fact: Fact| FOUND.get_with(key(&fact), || found.of(&fact));
    let evidence = answers.into_iter().map(|facts| facts.into_iter().map(evidence).collect());
    Ok(evidence.collect())
}

/// Looks for the events of these facts, up to a position.
pub(super) async fn search(
    call: &Call,
    policy: &Policy,
    until: i64,
    facts: BTreeSet<Fact>,
) -> Result<Found, Problem> {
    if facts.is_empty() {
        return Ok(Found { marks: BTreeMap::new(), origins: BTreeMap::new() });
    }
    let statement = statement(call, &Needles::of(policy, &facts), until);
    let asked = call.ask(&[], &statement).await?;
    if asked.rows.len() > MAX_EVENTS {
        return Err(too_long());
    }
    let mut trace = Trace::new(facts);
    for row in &asked.rows {
        let record = Record::from_row(row)?;
        let event = Happened::read(record.aggregate_type, record.aggregate_id, record.payload);
        if let Some(event) = event.map_err(|error| Problem::internal(&error))? {
            trace.add(record.position, &event);
        }
    }
    let marks = trace.finish();
    let used: BTreeSet<i64> =
        marks.values().flat_map(|mark| mark.made.into_iter().chain(mark.ended)).collect();
    let mut origins = BTreeMap::new();
    for row in &asked.rows {
        let record = Record::from_row(row)?;
        if used.contains(&record.position) {
            origins.insert(record.position, origin(&record));
        }
    }
    Ok(Found { marks, origins })
}

fn statement(call: &Call, needles: &Needles, until: i64) -> Statement {
    let mut statement = Statement::default();
    let users = |users: &BTreeSet<UserId>| users.iter().map(ToString::to_string).collect();
    let until = statement.bind(Bind::Integer(until));
    let tenant = statement.bind(Bind::Id(call.tenant().0));
    let mentioned = needles.policy.iter().map(ToString::to_string);
    let mentioned = statement.bind(Bind::Texts(mentioned.collect()));
    let places = needles.places.iter().map(|id| format!("%{id}%"));
    let places = statement.bind(Bind::Texts(places.collect()));
    let accesses = statement.bind(Bind::Texts(users(&needles.accesses)));
    let accounts = statement.bind(Bind::Texts(users(&needles.accounts)));
    let of = |kind: &str, ids: usize, condition: &str| {
        format!(
            "select {UNCHAINED} from log.events e where e.aggregate_type = '{kind}' \
             and e.aggregate_id = any (${ids}) and e.position <= ${until} and {condition}"
        )
    };
    let policy = format!(
        "select {UNCHAINED} from log.of_policy(${tenant}, ${mentioned}::uuid[], ${until}) e"
    );
    let access = format!("e.payload::text like any (${places})");
    let access = of("rbac.user_access", accesses, &access);
    let account = "(e.event_type like '%.registered' or e.event_type like '%activated')";
    let account = of("identity.user", accounts, account);
    statement.sql = format!(
        "select * from ({policy} union all {access} union all {account}) e \
         order by e.position limit {}",
        MAX_EVENTS + 1
    );
    statement
}

fn origin(record: &Record<'_>) -> Origin {
    let lifted: Lifted<'_> = serde_json::from_str(record.metadata).unwrap_or_default();
    Origin {
        position: record.position,
        event_id: record.event_id,
        event_type: record.event_type.to_owned(),
        recorded_at: record.recorded_at,
        actor_kind: lifted.actor_kind.map(Into::into),
        actor_id: lifted.actor_id.map(Into::into),
    }
}
