//! The events behind an answer: read from the log for the request at hand, never on the way of somebody's own request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ::events::UserId;
use ::events::rbac::policy::Policy;
use ::events::rbac::resolve::evidence::{Fact, Happened, Mark, Needles, Trace};
use jiff::Timestamp;
use moka::sync::Cache;
use platform::dataset::{Bind, Statement};
use platform::log::{Record, UNCHAINED};
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow as _;
use uuid::Uuid;

use crate::call::Call;
use crate::past::too_long;
use crate::record::Lifted;

/// The most events that are looked at for one answer.
const MAX_EVENTS: usize = 50_000;
const KEPT: u64 = 10_000;

/// Evidence found before, under the versions that it was found at.
static FOUND: LazyLock<Cache<Key, Vec<Evidence>>> = LazyLock::new(|| Cache::new(KEPT));

/// An organisation, a user, the versions of the policy, their roles and their account, and the facts.
pub(super) type Key = (Uuid, UserId, [i64; 3], Vec<Fact>);

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

/// The evidence for several answers at once, in their order.
pub(super) async fn for_answers(
    call: &Call,
    policy: &Policy,
    until: i64,
    keys: &[Key],
) -> Result<Vec<Vec<Evidence>>, Problem> {
    let wanted = keys.iter().filter(|key| !FOUND.contains_key(*key));
    let wanted: BTreeSet<Fact> = wanted.flat_map(|(.., facts)| facts.iter().cloned()).collect();
    let found = search(call, policy, until, wanted).await?;
    let evidence = keys.iter().map(|key| {
        if let Some(kept) = FOUND.get(key) {
            return kept;
        }
        let evidence: Vec<Evidence> = key.3.iter().map(|fact| found.of(fact)).collect();
        FOUND.insert(key.clone(), evidence.clone());
        evidence
    });
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
    let ids = |users: &BTreeSet<UserId>| users.iter().map(ToString::to_string).collect();
    let until = statement.bind(Bind::Integer(until));
    let tenant = statement.bind(Bind::Text(Some(call.tenant().to_string())));
    let texts = needles.texts.iter().map(|text| format!("%{}%", text.replace('_', "\\_")));
    let texts = statement.bind(Bind::Texts(texts.collect()));
    let accesses = statement.bind(Bind::Texts(ids(&needles.accesses)));
    let accounts = statement.bind(Bind::Texts(ids(&needles.accounts)));
    let of = |kind: &str, condition: &str| {
        format!(
            "select {UNCHAINED} from log.events e where e.aggregate_type = '{kind}' \
             and e.position <= ${until} and {condition}"
        )
    };
    let mentioned = format!("e.payload::text like any (${texts})");
    let policy = of("rbac.policy", &format!("e.aggregate_id = ${tenant} and {mentioned}"));
    let access =
        of("rbac.user_access", &format!("e.aggregate_id = any (${accesses}) and {mentioned}"));
    let account = "(e.event_type like '%.registered' or e.event_type like '%activated')";
    let account = of("identity.user", &format!("e.aggregate_id = any (${accounts}) and {account}"));
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
