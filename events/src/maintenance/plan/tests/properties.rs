//! What holds for whatever people arrange: nothing comes before itself, and no revision touches what was begun or lies before it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::aggregate::Decider as _;

const MANY: u128 = 7;

/// Whether every schedule can be done after all that come before it.
fn is_in_order(plan: &Plan) -> bool {
    let mut done = BTreeSet::new();
    while done.len() < plan.schedules.len() {
        let ready = plan.schedules.iter().find(|(id, schedule)| {
            !done.contains(*id) && schedule.depends_on.iter().all(|before| done.contains(before))
        });
        let Some((id, _)) = ready else { return false };
        done.insert(*id);
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_ever_comes_before_itself(
        wishes in proptest::collection::vec(
            (0..MANY, proptest::collection::vec(0..MANY, 0..4), any::<bool>()),
            1..30,
        ),
    ) {
        let mut plan = Plan::default();
        for number in 0..MANY {
            plan.evolve(&added(number, &[]));
        }
        for (number, before, removes) in wishes {
            let schedule_id = schedule(number);
            let depends_on = before.iter().map(|before| schedule(*before)).collect();
            let command = if removes {
                Command::Remove { schedule_id }
            } else {
                Command::SetDependencies { schedule_id, depends_on }
            };
            for event in plan.decide(command, &manager(), &context()).unwrap_or_default() {
                plan.evolve(&event);
            }
            prop_assert!(is_in_order(&plan));
            let known = |id: &MaintenanceScheduleId| plan.schedules.contains_key(id);
            prop_assert!(plan.schedules.values().all(|one| one.depends_on.iter().all(known)));
        }
    }

    #[test]
    fn no_revision_touches_what_was_begun_or_lies_before_it(
        days in 1_i64..60,
        from in 0_i64..60 * 24,
        hour in 0_i8..24,
        is_other in any::<bool>(),
        is_untouched in any::<bool>(),
    ) {
        let due_at: Timestamp = at("2026-01-01T08:00:00Z") + SignedDuration::from_hours(24 * days);
        let effective_from = at("2026-01-01T12:30:00Z") + SignedDuration::from_hours(from);
        let mut plan = Plan::default();
        plan.evolve(&added(OIL, &[]));
        plan.evolve(&generated(OIL, &due_at.to_string(), 1));
        let title = if is_other { "Change the filter" } else { "Change the oil" };
        plan.evolve(&Event::ScheduleRevised {
            schedule_id: schedule(OIL),
            version: 2,
            title: "Oil".into(),
            terms: terms(daily(hour)),
            task: task(title),
            effective_from,
        });
        let oil = &plan.schedules[&schedule(OIL)];
        let made = oil.open.values().next().unwrap();
        let fate = oil.fate(made, is_untouched, &trigger::Facts::default());
        if !is_untouched || due_at <= effective_from {
            prop_assert_eq!(fate, Fate::Stays);
        } else if is_other {
            prop_assert_eq!(fate, Fate::IsSuperseded { by_version: 2 });
        }
        if let Fate::Moves { due_at } = fate {
            prop_assert!(due_at > effective_from, "what moves does not go back before it");
        }
    }
}
