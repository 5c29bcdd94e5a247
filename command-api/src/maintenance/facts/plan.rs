//! What decisions about plans lean on: the asset, what the caller may where it belongs, the calendars that schedules look at, and whoever
//! is to do their tasks.

use std::collections::BTreeSet;

use events::maintenance::asset::{Asset, Status};
use events::maintenance::plan::{Command, Facts, Plan};
use events::maintenance::task::ASSIGNEES_MAX_COUNT;
use events::scheduling::blackout_calendar::BlackoutCalendar;
use events::scheduling::trigger::Trigger;
use events::scheduling::{CALENDARS_MAX_COUNT, Modifiers};
use events::{AssetId, UserId};
use platform::access::PlanOf;
use platform::problem::Problem;

use super::reach;
use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Plan> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &Plan,
        command: &Command,
    ) -> Result<Self, Problem> {
        let asset_id: AssetId = id.parse().map_err(|_| Problem::absent("asset"))?;
        let asset = sources.now::<Asset>(id).await?.state;
        let mut facts = Self { asset_id, asset: asset.status, ..Self::default() };
        let plan = PlanOf(&asset);
        facts.reach = reach(sources, (asset.status != Status::Absent).then_some(&plan)).await?;
        let (modifiers, assignees) = brought(command);
        let named = modifiers.into_iter().flat_map(|it| it.blackout_ids.iter().copied());
        let named = named.take(CALENDARS_MAX_COUNT); // whoever names more is refused for that
        for id in state.calendars().chain(named).collect::<BTreeSet<_>>() {
            let calendar = sources.now::<BlackoutCalendar>(&id.to_string()).await?;
            facts.calendars.calendars.insert(id, calendar.state);
        }
        if let Command::Add(add) = command {
            let trigger = sources.now::<Trigger>(&add.schedule_id.to_string()).await?;
            facts.is_taken = trigger.version > 0;
        }
        let assignees = assignees.iter().copied().take(ASSIGNEES_MAX_COUNT);
        facts.strangers = sources.inactive(assignees).await?;
        Ok(facts)
    }
}

/// The modifiers that a command brings, and whoever it names to do tasks.
fn brought(command: &Command) -> (Option<&Modifiers>, &[UserId]) {
    match command {
        Command::Add(add) => (Some(&add.terms.modifiers), &add.task.assignees),
        Command::Revise(revise) => {
            let assignees = revise.task.as_ref().map_or(&[][..], |task| &task.assignees);
            (revise.modifiers.as_ref(), assignees)
        }
        Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Remove { .. }
        | Command::SetDependencies { .. }
        | Command::RecordOccurrence { .. }
        | Command::RecordSkip { .. }
        | Command::RecordEnd { .. }
        | Command::Complete { .. }
        | Command::End => (None, &[]),
    }
}
