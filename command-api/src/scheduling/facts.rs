//! The calendars that a trigger names, and what the record wants that it belongs to, read with the versions that the append will check.

use std::collections::BTreeSet;

use events::maintenance::plan::Plan;
use events::scheduling::blackout_calendar::BlackoutCalendar;
use events::scheduling::trigger::{Command, Facts, Trigger, Wanted};
use events::scheduling::{Modifiers, Subject};
use events::{Decider as _, MaintenanceScheduleId};
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Trigger> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &Trigger,
        command: &Command,
    ) -> Result<Self, Problem> {
        let named = named(command).into_iter().flat_map(|it| it.blackout_ids.iter().copied());
        let ids: BTreeSet<_> = state.calendars().chain(named.take(MOST)).collect();
        let mut facts = Self::default();
        if let Command::Follow { managed_by } = command {
            facts.wanted = wanted(sources, id, managed_by).await?;
        }
        let of_wanted = facts.wanted.iter().flat_map(Wanted::calendars);
        for id in ids.into_iter().chain(of_wanted).collect::<BTreeSet<_>>() {
            let calendar = sources.now::<BlackoutCalendar>(&id.to_string()).await?;
            facts.calendars.insert(id, calendar.state);
        }
        Ok(facts)
    }
}

/// What a plan wants of the trigger of one of its schedules, which has the same id.
async fn wanted(
    sources: &mut Sources<'_>,
    trigger: &str,
    managed_by: &Subject,
) -> Result<Option<Wanted>, Problem> {
    let schedule: Option<MaintenanceScheduleId> = trigger.parse().ok();
    // No other kind of record has triggers.
    let Some(schedule) = schedule.filter(|_| managed_by.kind == Plan::TYPE) else {
        return Ok(None);
    };
    let plan = sources.now::<Plan>(&managed_by.id.to_string()).await?;
    Ok(plan.state.wanted(schedule))
}

/// Whoever names more is refused for that, whatever the others are.
const MOST: usize = events::scheduling::CALENDARS_MAX_COUNT;

/// The modifiers that a command brings.
fn named(command: &Command) -> Option<&Modifiers> {
    match command {
        Command::Create(create) => Some(&create.terms.modifiers),
        Command::Revise(revise) => revise.modifiers.as_ref(),
        Command::Pause
        | Command::Resume
        | Command::RecordFire { .. }
        | Command::RecordUsage { .. }
        | Command::RecordAnswer { .. }
        | Command::Skip { .. }
        | Command::Replan
        | Command::Follow { .. }
        | Command::Cancel => None,
    }
}
