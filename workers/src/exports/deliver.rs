//! The process that tells those whom a file is for that it is made.

use events::envelope::Recorded;
use events::exports::export::{Event, Export};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::runtime::{Effect, Process, Turn};

/// One matter for each export that is for somebody besides whoever asked.
pub(super) struct Delivery;

/// That a file is for somebody; the export knows for whom.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wanted {}

impl Process for Delivery {
    const NAME: &'static str = "exports_delivery";
    const EVENTS: &'static [&'static str] = &[
        "exports.export.requested",
        "exports.export.completed",
        "exports.export.cancelled",
        "exports.export.deleted",
        "exports.export.expired",
    ];
    type Memory = Wanted;

    fn turn(memory: Option<Wanted>, event: &Recorded) -> anyhow::Result<Turn<Wanted>> {
        let export = &event.aggregate_id;
        Ok(match event.decode::<Export>()? {
            Event::Requested { wishes, .. } => Turn::on(wishes.deliver.map(|_| Wanted {})),
            Event::Completed(_) if memory.is_some() => Turn {
                memory: None,
                effects: vec![Effect::Give {
                    step: "deliver".into(),
                    path: format!("/exports/{export}/deliver"),
                    body: json!({}),
                }],
            },
            Event::Started { .. }
            | Event::Progressed { .. }
            | Event::Completed(_)
            | Event::Failed { .. }
            | Event::CancelRequested
            | Event::Cancelled
            | Event::Retried { .. }
            | Event::Delivered { .. }
            | Event::Emailed { .. }
            | Event::Downloaded { .. }
            | Event::Archived { .. }
            | Event::Deleted { .. }
            | Event::Expired => Turn::on(None),
        })
    }
}

#[cfg(test)]
mod tests {
    use events::exports::export::{self, File, Wishes};
    use events::testing::{at, id};

    use super::*;
    use crate::testing::{recorded, requested};

    fn after(deliver: Option<export::Delivery>, then: &Event) -> Turn<Wanted> {
        let wishes = Wishes { deliver, ..Wishes::default() };
        let asked = requested(wishes);
        let begun = Delivery::turn(None, &recorded::<Export>(id(9), &asked)).unwrap();
        assert_eq!(begun.effects, []);
        Delivery::turn(begun.memory, &recorded::<Export>(id(9), then)).unwrap()
    }

    fn completed() -> Event {
        Event::Completed(File {
            file_id: id(3),
            file_name: "roles.csv".into(),
            size_bytes: 4,
            sha256: "0".repeat(64),
            rows: 1,
            position: 1,
            expires_at: at("2026-01-02T00:00:00Z"),
            units: Vec::new(),
            manifest: None,
        })
    }

    #[test]
    fn those_a_file_is_for_are_told_once_it_is_made() {
        let for_somebody = || Some(export::Delivery { recipients: vec![id(2)], ..<_>::default() });
        let path = format!("/exports/{}/deliver", id::<events::ExportId>(9));
        let told = Effect::Give { step: "deliver".into(), path, body: json!({}) };
        let turn = after(for_somebody(), &completed());
        assert_eq!(turn, Turn { memory: None, effects: vec![told] });
        assert_eq!(after(for_somebody(), &Event::Cancelled), Turn::on(None));
        assert_eq!(after(None, &completed()), Turn::on(None));
    }
}
