//! When the end of a warranty is announced: at the next notice that is due, which every announcement moves on.

use events::envelope::Recorded;
use events::maintenance::asset::{Amended, Asset, Event, next_warranty_notice};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use crate::runtime::{Effect, Reminder};

/// The events that begin, move or end a warranty.
pub(super) const EVENTS: &[&str] = &[
    "maintenance.asset.registered",
    "maintenance.asset.amended",
    "maintenance.asset.warranty_end_announced",
    "maintenance.asset.retired",
];

const NOTICE: &str = "maintenance.warranty_notice";

pub(super) fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let effect = match event.decode::<Asset>()? {
        // Whoever registers something knows what is near.
        Event::Registered { warranty_until: Some(until), .. }
        | Event::WarrantyEndAnnounced { warranty_until: until, .. } => {
            Some((Some(until), event.recorded_at))
        }
        // Of a warranty that was moved, what is due now is announced at once.
        Event::Amended(Amended { warranty_until: Some(until), .. }) => {
            Some((until, Timestamp::MIN))
        }
        Event::Retired => Some((None, event.recorded_at)),
        Event::Registered { warranty_until: None, .. }
        | Event::Amended(Amended { warranty_until: None, .. })
        | Event::Retagged { .. }
        | Event::UsageRecorded { .. }
        | Event::CounterReset { .. }
        | Event::VisibilityChosen { .. }
        | Event::Shared { .. }
        | Event::Unshared { .. }
        | Event::Moved { .. } => None,
    };
    let effect = effect.map(|(until, after)| remind(&event.aggregate_id, until, after));
    Ok(effect.into_iter().collect())
}

fn remind(asset: &str, until: Option<Date>, after: Timestamp) -> Effect {
    let subject_id = asset.to_owned();
    match until.and_then(|until| next_warranty_notice(until, after)) {
        Some(due_at) => {
            let path = format!("/assets/{asset}/announce-warranty-end");
            Effect::Remind(Reminder { kind: NOTICE, subject_id, due_at, path, body: json!({}) })
        }
        None => Effect::Forget { kind: NOTICE, subject_id },
    }
}

#[cfg(test)]
mod tests {
    use events::AssetId;
    use events::testing::{at, id};

    use super::*;
    use crate::testing::recorded;

    /// What follows on the first day of 2026.
    fn after(event: &Event) -> Vec<Effect> {
        on_event(&recorded::<Asset>(id(50), event)).unwrap()
    }

    fn registered(until: Option<&str>) -> Event {
        Event::Registered {
            tag: "P-7".into(),
            name: "Pump".into(),
            category: None,
            serial: None,
            unit_id: None,
            acquired_on: None,
            warranty_until: until.map(|day| day.parse().unwrap()),
            cost: None,
        }
    }

    fn moved(until: Option<&str>) -> Event {
        let warranty_until = Some(until.map(|day| day.parse().unwrap()));
        Event::Amended(Amended { warranty_until, ..Amended::default() })
    }

    fn reminded(due: &str) -> Vec<Effect> {
        let asset = id::<AssetId>(50).to_string();
        let path = format!("/assets/{asset}/announce-warranty-end");
        let due_at = at(due);
        let body = json!({});
        vec![Effect::Remind(Reminder { kind: NOTICE, subject_id: asset, due_at, path, body })]
    }

    fn forgotten() -> Vec<Effect> {
        vec![Effect::Forget { kind: NOTICE, subject_id: id::<AssetId>(50).to_string() }]
    }

    #[test]
    fn the_next_notice_is_waited_for() {
        let until = "2028-02-29";
        let due = reminded("2027-12-01T00:00:00Z");
        assert_eq!(after(&registered(Some(until))), due);
        assert_eq!(after(&moved(Some(until))), due);
        let soon = "2026-01-05";
        assert_eq!(after(&registered(Some(soon))), reminded("2026-01-05T00:00:00Z"));
        assert_eq!(after(&moved(Some(soon))), reminded("2025-10-07T00:00:00Z"), "long due");
        let announced = |until: &str, days| Event::WarrantyEndAnnounced {
            warranty_until: until.parse().unwrap(),
            days,
        };
        assert_eq!(after(&announced("2026-03-31", 90)), reminded("2026-03-01T00:00:00Z"));
        assert_eq!(after(&announced("2026-01-01", 0)), forgotten());
    }

    #[test]
    fn what_has_no_warranty_any_more_is_not_waited_for() {
        assert_eq!(after(&registered(None)), []);
        assert_eq!(after(&Event::Amended(Amended::default())), []);
        assert_eq!(after(&moved(None)), forgotten());
        assert_eq!(after(&Event::Retired), forgotten());
    }
}
