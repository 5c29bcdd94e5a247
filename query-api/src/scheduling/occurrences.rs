//! What becomes of the next occurrences of a trigger, one that exists or one that somebody thinks of, and why.

use std::collections::BTreeSet;

use events::Module::Scheduling;
use events::scheduling::blackout_calendar::BlackoutCalendar;
use events::scheduling::trigger::{Facts, Terms, Trigger};
use events::scheduling::{CALENDARS_MAX_COUNT, Modifiers, Outcome, Spec};
use events::{BlackoutCalendarId, Permission, Rejection as _};
use jiff::Timestamp;
use platform::clock;
use platform::http::json_body;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Items, Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::query;

/// So many that run are told, unless fewer or more are asked for.
const DEFAULT_RUNS: usize = 20;
/// So many at most.
const MAX_RUNS: usize = 200;

/// What becomes of one occurrence.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Occurrence {
    #[serde(flatten)]
    outcome: Outcome,
    /// By which revision of the trigger.
    revision: u32,
}

pub(crate) const PERIOD: &[Parameter] = &[
    query("from", "occurrences after this RFC 3339 time; from now on when absent"),
    query("to", "occurrences up to this RFC 3339 time"),
    query("limit", "so many that run: 20 unless told, at most 200"),
];

/// A trigger that somebody thinks of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// When it recurs.
    spec: Spec,
    /// The zone, the closed days and what becomes of occurrences on them.
    modifiers: Modifiers,
    /// Nothing happens before it.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Nothing happens after it.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// So often it happens at most.
    #[serde(default)]
    max_fires: Option<u64>,
    /// So many seconds before an occurrence is due it happens.
    #[serde(default)]
    lead_secs: Option<u64>,
    /// So many that run are told: 20 unless told, at most 200.
    #[serde(default)]
    limit: Option<usize>,
}

pub(super) fn of_trigger() -> Endpoint {
    let route =
        Route::get("/triggers/{id}/occurrences", Scheduling, "scheduling_trigger_occurrences")
            .summary("When a trigger is due next, and why occurrences are moved or left out")
            .needs(Permission::SchedulingTriggersRead)
            .parameters(PERIOD)
            .answers::<Stamped<Items<Occurrence>>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to", "limit"])?;
        let asked = call.head().await?;
        let trigger = call.aggregate::<Trigger>(call.segment("id")).await?;
        if trigger.version == 0 {
            return Err(Problem::absent("trigger"));
        }
        let items = asked_for(&call, &trigger.state).await?;
        Ok(stamped(&call, &asked, Items { items }))
    })
}

pub(super) fn preview() -> Endpoint {
    let route = Route::post("/triggers/preview", Scheduling, "scheduling_trigger_preview")
        .summary("When a trigger would be due, before it is created")
        .needs(Permission::SchedulingTriggersRead)
        .takes::<Draft>()
        .answers::<Stamped<Items<Occurrence>>>(200);
    Endpoint::new(route, |call: Call| async move {
        let draft: Draft = json_body(&call.headers, &call.body)?;
        let Draft { spec, modifiers, starts_at, ends_at, max_fires, lead_secs, limit } = draft;
        let asked = call.head().await?;
        let named = modifiers.blackout_ids.iter().copied();
        let facts = facts(&call, named.take(CALENDARS_MAX_COUNT)).await?;
        let terms = Terms { spec, modifiers, starts_at, ends_at, max_fires, lead_secs };
        let now = clock::now();
        let (trigger, _) = Trigger::drafted(terms, &facts, now).map_err(|refused| {
            let pointer = refused.pointer().unwrap_or_default();
            Problem::invalid(pointer, refused.code(), refused.to_string())
        })?;
        let items = upcoming(&trigger, &facts, (now, None), limit)?;
        Ok(stamped(&call, &asked, Items { items }))
    })
}

/// What becomes of the next occurrences of a trigger in the period that the caller asks for.
pub(crate) async fn asked_for(call: &Call, trigger: &Trigger) -> Result<Vec<Occurrence>, Problem> {
    let facts = facts(call, trigger.calendars()).await?;
    let period = (call.time("from")?.unwrap_or_else(clock::now), call.time("to")?);
    let limit = call.number("limit")?.and_then(|limit| usize::try_from(limit).ok());
    upcoming(trigger, &facts, period, limit)
}

/// The calendars as the log has them now.
async fn facts(
    call: &Call,
    ids: impl Iterator<Item = BlackoutCalendarId>,
) -> Result<Facts, Problem> {
    let mut facts = Facts::default();
    for id in ids.collect::<BTreeSet<_>>() {
        let calendar = call.aggregate::<BlackoutCalendar>(&id.to_string()).await?;
        facts.calendars.insert(id, calendar.state);
    }
    Ok(facts)
}

fn upcoming(
    trigger: &Trigger,
    facts: &Facts,
    (from, to): (Timestamp, Option<Timestamp>),
    limit: Option<usize>,
) -> Result<Vec<Occurrence>, Problem> {
    let period = (from, to.unwrap_or(Timestamp::MAX));
    let most = limit.unwrap_or(DEFAULT_RUNS).min(MAX_RUNS);
    let upcoming = trigger.upcoming(facts, period, most);
    let upcoming = upcoming.map_err(|fault| Problem::internal(&fault))?;
    let occurrence = |(revision, outcome)| Occurrence { outcome, revision };
    Ok(upcoming.into_iter().map(occurrence).collect())
}
