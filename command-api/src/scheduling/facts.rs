//! The calendars that a trigger names, read with the versions that the append will check.

use std::collections::BTreeSet;

use events::scheduling::Modifiers;
use events::scheduling::blackout_calendar::BlackoutCalendar;
use events::scheduling::trigger::{Command, Facts, Trigger};
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Trigger> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        state: &Trigger,
        command: &Command,
    ) -> Result<Self, Problem> {
        let named = named(command).into_iter().flat_map(|it| it.blackout_ids.iter().copied());
        let ids: BTreeSet<_> = state.calendars().chain(named.take(MOST)).collect();
        let mut facts = Self::default();
        for id in ids {
            let calendar = sources.now::<BlackoutCalendar>(&id.to_string()).await?;
            facts.calendars.insert(id, calendar.state);
        }
        Ok(facts)
    }
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
        | Command::Cancel => None,
    }
}
