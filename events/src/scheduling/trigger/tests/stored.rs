//! What is stored of triggers.

use super::*;

#[test]
fn samples_are_frozen() {
    let next_at = Some(at("2026-01-09T09:00:00Z"));
    frozen::<Trigger>([
        created(),
        Event::Renamed { name: "Every night".into() },
        Event::Retargeted { target: Target { args: json!({}), ..target() } },
        Event::Revised {
            version: 2,
            terms: Terms { max_fires: Some(9), ..heeding() },
            effective_from: at("2026-01-05T00:00:00Z"),
            next_at,
        },
        Event::Paused,
        Event::Resumed { counts_from: at("2026-01-02T10:00:00Z"), next_at },
        Event::Replanned { next_at: None },
        fired("2026-01-03T09:00:00Z", Some("2026-01-04T09:00:00Z")),
        Event::Skipped {
            occurrence: at("2026-01-04T09:00:00Z"),
            until: at("2026-01-05T09:00:00Z"),
            count: 2,
            reason: SkipReason::Blackout,
            label: Some("Holiday".into()),
            next_at,
        },
        Event::CommandSucceeded {
            occurrence: at("2026-01-03T09:00:00Z"),
            command: target().command,
            aggregate_id: "0190a000-0000-7000-8000-000000000009".into(),
        },
        Event::CommandRefused {
            occurrence: at("2026-01-03T09:00:00Z"),
            command: target().command,
            code: "FORBIDDEN".into(),
            detail: "you need the permission backups.archives:request".into(),
        },
        Event::Cancelled,
        Event::Completed,
    ]);
}

#[test]
fn every_reason_keeps_its_stored_name() {
    let names = <SkipReason as strum::VariantArray>::VARIANTS;
    assert_eq!(
        serde_json::to_string(names).unwrap(),
        r#"["blackout","non_business","nonexistent","dependency","misfire","requested"]"#
    );
}

#[test]
fn every_kind_of_recurrence_keeps_its_stored_shape() {
    for shape in [
        json!({"kind": "once", "at": "2026-01-02T09:00:00Z"}),
        json!({"kind": "interval", "every": "PT15M", "from": "2026-01-01T00:00:00Z"}),
        json!({"kind": "cron", "expression": "30 6 * * 1-5"}),
        json!({"kind": "rrule", "starts": "2026-01-02T09:00:00", "rule": "FREQ=DAILY", "except": []}),
        json!({"kind": "daily", "time": "09:00:00"}),
        json!({"kind": "weekly", "days": ["monday"], "time": "09:00:00"}),
        json!({"kind": "monthly_day", "day": 31, "time": "09:00:00", "overflow": "clamp"}),
        json!({
            "kind": "seasonal", "seasons": ["spring"], "offset_days": -3, "hemisphere": "south",
            "basis": "astronomical", "time": "09:00:00",
        }),
        json!({
            "kind": "usage", "subject": {"kind": "assets.asset", "id": id::<crate::UserId>(3)},
            "counter": "hours", "every": 250, "first_at": null,
        }),
    ] {
        let spec: Spec = serde_json::from_value(shape.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), shape);
        let unknown = |mut shape: serde_json::Value| {
            shape["more"] = json!(1);
            serde_json::from_value::<Spec>(shape)
        };
        assert!(unknown(shape).is_err());
    }
}
