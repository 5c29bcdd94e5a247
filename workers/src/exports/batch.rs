//! The processes behind a batch: its items are asked for when it begins, it hears how each ended, and when nobody wants it any more
//! those that are still being made are called off.

use std::collections::BTreeMap;

use events::ExportId;
use events::envelope::Recorded;
use events::exports::batch::{Batch, Event};
use events::exports::export::{self, Export};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::runtime::{Effect, Process, Reminder, Turn};

const DUE: &str = "exports.batch";

/// One matter for each batch.
pub(super) struct Batches;

/// What is remembered of a batch: the exports that are being made for it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    exports: BTreeMap<u32, ExportId>,
}

impl Process for Batches {
    const NAME: &'static str = "exports_batch";
    const EVENTS: &'static [&'static str] = &[
        "exports.batch.requested",
        "exports.batch.retried",
        "exports.batch.started",
        "exports.batch.item_requested",
        "exports.batch.item_finished",
        "exports.batch.cancelled",
    ];
    type Memory = Open;

    fn turn(memory: Option<Open>, event: &Recorded) -> anyhow::Result<Turn<Open>> {
        let mut open = memory.unwrap_or_default();
        let batch = &event.aggregate_id;
        let give = |step: String, path: String, body| Effect::Give { step, path, body };
        let begin = format!("/exports/batch/{batch}/start");
        let effects = match event.decode::<Batch>()? {
            Event::Requested { run_at: Some(due_at), .. } => {
                let (kind, subject_id, body) = (DUE, batch.clone(), json!({}));
                vec![Effect::Remind(Reminder { kind, subject_id, due_at, path: begin, body })]
            }
            Event::Requested { run_at: None, .. } | Event::Retried { .. } => {
                vec![give("start".into(), begin, json!({}))]
            }
            Event::Started { items, .. } => {
                let path = format!("/exports/batch/{batch}/request-item");
                let ask = |item: &u32| {
                    give(format!("request/{item}"), path.clone(), json!({ "item": item }))
                };
                items.iter().map(ask).collect()
            }
            Event::ItemRequested { item, export_id } => {
                open.exports.insert(item, export_id);
                Vec::new()
            }
            Event::ItemFinished { item, .. } => {
                open.exports.remove(&item);
                Vec::new()
            }
            Event::Cancelled => {
                let call_off = |export: &ExportId| {
                    let path = format!("/exports/{export}/call-off");
                    give(format!("call-off/{export}"), path, json!({}))
                };
                let mut effects: Vec<Effect> = open.exports.values().map(call_off).collect();
                effects.push(Effect::Forget { kind: DUE, subject_id: batch.clone() });
                return Ok(Turn { memory: None, effects });
            }
            Event::ItemRefused { .. }
            | Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Downloaded { .. } => Vec::new(),
        };
        Ok(Turn { memory: Some(open), effects })
    }
}

/// One matter for each export that a batch waits for.
pub(super) struct Items;

/// The batch that waits for an export.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    batch: String,
}

impl Process for Items {
    const NAME: &'static str = "exports_batch_item";
    const EVENTS: &'static [&'static str] = &[
        "exports.export.requested",
        "exports.export.completed",
        "exports.export.failed",
        "exports.export.cancelled",
        "exports.export.expired",
        "exports.export.deleted",
    ];
    type Memory = Waiting;

    fn turn(memory: Option<Waiting>, event: &Recorded) -> anyhow::Result<Turn<Waiting>> {
        let payload = event.decode::<Export>()?;
        if let export::Event::Requested { wishes, .. } = &payload {
            let waiting = |batch: events::BatchId| Waiting { batch: batch.to_string() };
            return Ok(Turn::on(wishes.batch_id.map(waiting)));
        }
        let Some(waiting) = memory else { return Ok(Turn::on(None)) };
        let made = match payload {
            export::Event::Completed(_) => true,
            export::Event::Failed { .. } | export::Event::Cancelled => false,
            // The file was there, and is no more: nothing more will come of it.
            export::Event::Requested { .. }
            | export::Event::Started { .. }
            | export::Event::Progressed { .. }
            | export::Event::CancelRequested
            | export::Event::Retried { .. }
            | export::Event::Delivered { .. }
            | export::Event::Emailed { .. }
            | export::Event::Downloaded { .. }
            | export::Event::Archived { .. }
            | export::Event::Deleted { .. }
            | export::Event::Expired => return Ok(Turn::on(None)),
        };
        let effects = vec![Effect::Give {
            step: "finish".into(),
            path: format!("/exports/batch/{}/finish", waiting.batch),
            body: json!({ "export_id": event.aggregate_id, "made": made }),
        }];
        // What failed can be tried again by itself.
        Ok(Turn { memory: Some(waiting), effects })
    }
}

#[cfg(test)]
mod tests {
    use events::exports::export::Wishes;
    use events::testing::{at, id};
    use events::{BatchId, Decider};

    use super::*;
    use crate::testing::{self, recorded};

    /// What the last of some events leads to.
    fn after<P: Process, D: Decider>(stream: u128, events: &[D::Event]) -> Turn<P::Memory> {
        let mut turn = Turn::on(None);
        for event in events {
            let event = recorded::<D>(id(stream), event);
            turn = P::turn(turn.memory, &event).unwrap();
        }
        turn
    }

    fn paths(turn: &Turn<impl std::fmt::Debug>) -> Vec<String> {
        let batch = id::<BatchId>(9).to_string();
        let path = |effect: &Effect| match effect {
            Effect::Give { path, .. } => path.replace(&batch, "B"),
            Effect::Forget { kind, .. } => format!("forget {kind}"),
            Effect::Start { .. }
            | Effect::Cancel { .. }
            | Effect::Interrupt { .. }
            | Effect::Remind(_) => panic!("{effect:?}"),
        };
        turn.effects.iter().map(path).collect()
    }

    fn requested(run_at: Option<&str>) -> Event {
        Event::Requested {
            title: None,
            items: Vec::new(),
            run_at: run_at.map(at),
            requested_by: id(1),
        }
    }

    fn started() -> Event {
        Event::Started { attempt: 1, items: vec![0, 2] }
    }

    #[test]
    fn a_batch_begins_at_once_or_when_its_time_has_come() {
        let now = after::<Batches, Batch>(9, &[requested(None)]);
        assert_eq!(paths(&now), ["/exports/batch/B/start"]);
        let later = after::<Batches, Batch>(9, &[requested(Some("2026-01-02T00:00:00Z"))]);
        let [Effect::Remind(reminder)] = &later.effects[..] else { panic!("{later:?}") };
        assert_eq!(reminder.due_at, at("2026-01-02T00:00:00Z"));
        let begun = after::<Batches, Batch>(9, &[requested(None), started()]);
        assert_eq!(paths(&begun), ["/exports/batch/B/request-item"; 2]);
        let [_, Effect::Give { body, step, .. }] = &begun.effects[..] else { panic!("{begun:?}") };
        assert_eq!((&**step, body), ("request/2", &json!({ "item": 2 })));
    }

    #[test]
    fn what_is_still_being_made_is_called_off_when_nobody_wants_it() {
        let asked = |item, export| Event::ItemRequested { item, export_id: id(export) };
        let finished = Event::ItemFinished { item: 0, export_id: id(10), made: true, ended: 1 };
        let events =
            [requested(None), started(), asked(0, 10), asked(2, 12), finished, Event::Cancelled];
        let turn = after::<Batches, Batch>(9, &events);
        let call_off = format!("/exports/{}/call-off", id::<ExportId>(12));
        assert_eq!(paths(&turn), [call_off, "forget exports.batch".into()]);
        assert_eq!(turn.memory, None);
    }

    #[test]
    fn a_batch_hears_of_its_exports_and_of_no_others() {
        let asked = |batch_id| testing::requested(Wishes { batch_id, ..Wishes::default() });
        let failed =
            export::Event::Failed { code: "x".into(), message: "y".into(), retryable: true };
        let heard = after::<Items, Export>(11, &[asked(Some(id(9))), failed.clone()]);
        assert_eq!(paths(&heard), ["/exports/batch/B/finish"]);
        let again = after::<Items, Export>(
            11,
            &[asked(Some(id(9))), failed.clone(), export::Event::Cancelled],
        );
        assert_eq!(paths(&again), ["/exports/batch/B/finish"]);
        assert_eq!(after::<Items, Export>(11, &[asked(None), failed]), Turn::on(None));
    }
}
