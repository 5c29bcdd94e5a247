//! What an occurrence of a schedule leads to: its task, with what the version of the schedule says that it is due by.

use std::collections::BTreeMap;

use events::envelope::Recorded;
use events::maintenance::plan::{Event, Plan, Template};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::runtime::{Effect, Process, Turn};

/// So many versions are remembered; an occurrence that waited longer has the oldest of them.
const VERSIONS_MOST: usize = 16;

/// One matter for each schedule.
pub(super) struct Generation;

/// What there is to do, by versions of the schedule.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Templates {
    versions: BTreeMap<u32, Template>,
}

impl Process for Generation {
    const NAME: &'static str = "maintenance_generation";
    const EVENTS: &'static [&'static str] = &[
        "maintenance.plan.schedule_added",
        "maintenance.plan.schedule_revised",
        "maintenance.plan.schedule_removed",
        "maintenance.plan.occurrence_generated",
    ];
    type Memory = Templates;

    fn correlation(event: &Recorded) -> anyhow::Result<Option<String>> {
        Ok(Some(event.decode::<Plan>()?.schedule().to_string()))
    }

    fn turn(memory: Option<Templates>, event: &Recorded) -> anyhow::Result<Turn<Templates>> {
        let mut templates = memory.unwrap_or_default();
        let mut effects = Vec::new();
        match event.decode::<Plan>()? {
            Event::ScheduleAdded { task, .. } => templates.keep(1, task),
            Event::ScheduleRevised { version, task, .. } => templates.keep(version, task),
            Event::ScheduleRemoved { .. } => return Ok(Turn::on(None)),
            Event::OccurrenceGenerated { schedule_id, version, occurrence, due_at, task_id } => {
                let Some(task) = templates.of(version) else { return Ok(Turn::on(None)) };
                let source = json!({
                    "schedule_id": schedule_id, "occurrence": occurrence, "version": version,
                });
                let body = json!({
                    "id": task_id,
                    "title": task.title,
                    "details": task.details,
                    "asset_id": event.aggregate_id,
                    "source": source,
                    "due_at": due_at,
                    "priority": task.priority,
                    "requirements": task.requirements,
                    "assignees": task.assignees,
                });
                effects.push(Effect::Give { step: "task".into(), path: "/tasks".into(), body });
            }
            Event::SchedulePaused { .. }
            | Event::ScheduleResumed { .. }
            | Event::ScheduleCompleted { .. }
            | Event::DependenciesReplaced { .. }
            | Event::OccurrenceHeldBack { .. }
            | Event::OccurrenceWithdrawn { .. }
            | Event::OccurrenceLeftOut { .. }
            | Event::OccurrenceClosed { .. } => {}
        }
        Ok(Turn { memory: Some(templates), effects })
    }
}

impl Templates {
    fn keep(&mut self, version: u32, task: Template) {
        self.versions.insert(version, task);
        if self.versions.len() > VERSIONS_MOST {
            self.versions.pop_first();
        }
    }

    fn of(&self, version: u32) -> Option<&Template> {
        let known = self.versions.range(..=version).next_back();
        known.or(self.versions.first_key_value()).map(|(_, task)| task)
    }
}

#[cfg(test)]
mod tests {
    use events::maintenance::plan::Removal;
    use events::scheduling::trigger::Terms;
    use events::scheduling::{Modifiers, Spec};
    use events::testing::{at, id};
    use events::{AssetId, Decider as _};

    use super::*;
    use crate::testing::recorded;

    const DUE: &str = "2026-01-02T09:00:00Z";

    fn task(title: &str) -> Template {
        Template { title: title.into(), assignees: vec![id(5)], ..Template::default() }
    }

    fn terms() -> Terms {
        let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
        let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
        Terms { spec, modifiers, starts_at: None, ends_at: None, max_fires: None, lead_secs: None }
    }

    fn added() -> Event {
        Event::ScheduleAdded {
            schedule_id: id(10),
            owned_by: id(1),
            title: "Oil".into(),
            terms: terms(),
            task: task("Change the oil"),
            depends_on: Vec::new(),
            counts_from: at("2026-01-01T12:00:00Z"),
        }
    }

    fn revised(version: u32) -> Event {
        Event::ScheduleRevised {
            schedule_id: id(10),
            version,
            title: "Oil".into(),
            terms: terms(),
            task: task(&format!("Work {version}")),
            effective_from: at("2026-01-05T00:00:00Z"),
        }
    }

    fn generated(version: u32) -> Event {
        Event::OccurrenceGenerated {
            schedule_id: id(10),
            version,
            occurrence: "2026-01-02".parse().unwrap(),
            due_at: at(DUE),
            task_id: Plan::task(id(10), at(DUE), version),
        }
    }

    fn after(events: &[Event]) -> Turn<Templates> {
        let mut turn = Turn::on(None);
        for event in events {
            let event = recorded::<Plan>(id::<AssetId>(3).0, event);
            turn = Generation::turn(turn.memory, &event).unwrap();
        }
        turn
    }

    fn title(turn: &Turn<Templates>) -> String {
        let [Effect::Give { step, path, body }] = &turn.effects[..] else { panic!("{turn:?}") };
        assert_eq!((&**step, &**path), ("task", "/tasks"));
        body["title"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_task_is_what_the_version_says_that_it_is_due_by() {
        let turn = after(&[added(), generated(1)]);
        assert_eq!(title(&turn), "Change the oil");
        let [Effect::Give { body, .. }] = &turn.effects[..] else { panic!("{turn:?}") };
        let task = Plan::task(id(10), at(DUE), 1);
        assert_eq!(body["id"], json!(task));
        assert_eq!((&body["asset_id"], &body["due_at"]), (&json!(id::<AssetId>(3)), &json!(DUE)));
        let source = json!({"schedule_id": id::<AssetId>(10), "occurrence": "2026-01-02",
            "version": 1});
        assert_eq!((&body["source"], &body["priority"]), (&source, &json!("normal")));
        assert_eq!(body["assignees"], json!([id::<AssetId>(5)]));
        assert_eq!(title(&after(&[added(), revised(2), generated(1)])), "Change the oil");
        assert_eq!(title(&after(&[added(), revised(2), generated(2)])), "Work 2");
    }

    #[test]
    fn so_many_versions_are_remembered_until_the_schedule_goes() {
        let many: Vec<Event> = [added()].into_iter().chain((2..30).map(revised)).collect();
        let turn = after(&[many.clone(), vec![generated(1)]].concat());
        assert_eq!(title(&turn), "Work 14");
        assert_eq!(turn.memory.map(|templates| templates.versions.len()), Some(VERSIONS_MOST));
        let because = Removal::Requested;
        let removed = Event::ScheduleRemoved { schedule_id: id(10), because };
        assert_eq!(after(&[many, vec![removed]].concat()), Turn::on(None));
    }

    #[test]
    fn every_event_is_of_the_matter_of_its_schedule() {
        for event in [added(), generated(1)] {
            let event = recorded::<Plan>(id::<AssetId>(3).0, &event);
            let matter = Generation::correlation(&event).unwrap();
            assert_eq!(matter, Some(id::<AssetId>(10).to_string()));
        }
        assert_eq!(Plan::TYPE, "maintenance.plan");
    }
}
