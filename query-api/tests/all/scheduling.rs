//! When triggers are due, asked of one that exists and of one that somebody thinks of, each with the reasons.

use events::scheduling::blackout_calendar::{self, BlackoutCalendar};
use events::scheduling::trigger::{Event, Target, Terms, Trigger};
use events::scheduling::{Blackout, Modifiers, Recurring, Spec};
use events::{BlackoutCalendarId, Permission, TriggerId};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, World, column, json as read, new, problem};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A calendar that closes Christmas, and a trigger that heeds it.
async fn furnish(world: &World, org: &Org) -> (BlackoutCalendarId, TriggerId) {
    let (calendar, trigger) = (new(), new());
    let owner = org.owner.user.to_string();
    let blackout = Blackout {
        from: "2098-12-24".parse().unwrap(),
        to: "2098-12-26".parse().unwrap(),
        label: "Christmas".into(),
        recurring: Recurring::Yearly,
    };
    let defined = blackout_calendar::Event::Defined { name: "Holidays".into() };
    let added = blackout_calendar::Event::BlackoutAdded { blackout_id: new(), blackout };
    world.append::<BlackoutCalendar>((org.tenant, &owner), calendar, [defined, added]).await;
    let modifiers =
        Modifiers { time_zone: "UTC".into(), blackout_ids: vec![calendar], ..Modifiers::default() };
    let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
    let created = Event::Created {
        name: "Daily".into(),
        owned_by: org.owner.user,
        target: Target { command: "backups_backup_request".into(), args: json!({}) },
        terms: Terms {
            spec,
            modifiers,
            starts_at: None,
            ends_at: None,
            max_fires: None,
            lead_secs: None,
        },
        counts_from: at("2026-01-01T12:00:00Z"),
        next_at: Some(at("2026-01-02T09:00:00Z")),
        managed_by: None,
    };
    world.append::<Trigger>((org.tenant, &owner), trigger, [created]).await;
    (calendar, trigger)
}

fn outcomes(body: &Value) -> Vec<&str> {
    let items = body["items"].as_array().unwrap();
    items.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_occurrences_of_a_trigger_come_with_the_reason_for_each_that_is_left_out() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let (_, trigger) = furnish(&world, &org).await;
    let path = format!("/triggers/{trigger}/occurrences");
    let body = world.body(&format!("{path}?from=2098-12-22T10:00:00Z&limit=2"), &org.owner).await;
    assert_eq!(outcomes(&body), ["runs", "skipped", "skipped", "skipped", "runs"]);
    assert_eq!(body["items"][1]["reason"]["label"], "Christmas");
    assert_eq!(body["items"][1]["planned"], "2098-12-24T09:00:00");
    assert_eq!(body["items"][4]["at"], "2098-12-27T09:00:00Z");
    let period = "from=2098-12-22T10:00:00Z&to=2098-12-23T09:00:00Z";
    let body = world.body(&format!("{path}?{period}"), &org.owner).await;
    assert_eq!(outcomes(&body), ["runs"]);
    let twenty = world.body(&path, &org.owner).await;
    assert_eq!(outcomes(&twenty).iter().filter(|outcome| **outcome == "runs").count(), 20);
    let (status, _) = world.problem(&format!("{path}?from=yesterday"), &org.owner).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let nowhere = format!("/triggers/{}/occurrences", new::<TriggerId>());
    assert_eq!(world.problem(&nowhere, &org.owner).await.0, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test]
async fn a_trigger_is_tried_out_before_it_is_created() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let (calendar, _) = furnish(&world, &org).await;
    let planner = world.entitled(&org, "planner", &[Permission::SchedulingTriggersRead]).await;
    let ask = async |draft: Value| {
        let request = world.ask(Method::POST, "/triggers/preview", Some(&planner));
        request.json(&draft).send().await.unwrap()
    };
    let draft = json!({
        "spec": {"kind": "monthly_day", "day": 31, "time": "09:00:00", "overflow": "skip"},
        "modifiers": {"time_zone": "UTC", "business_days_only": true, "roll": "preceding",
            "blackout_ids": [calendar]},
        "starts_at": "2098-01-01T00:00:00Z", "limit": 3,
    });
    let body = read(ask(draft).await).await;
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.iter().filter(|item| item["outcome"] == "runs").count(), 3, "{body}");
    let february = items.iter().find(|item| item["outcome"] == "skipped").unwrap();
    assert_eq!(february["reason"], json!({"kind": "nonexistent_day", "day": 31}));
    let never = json!({"spec": {"kind": "cron", "expression": "0 0 30 2 *"},
        "modifiers": {"time_zone": "UTC"}});
    let (status, refused) = problem(ask(never).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((&refused["code"]), (&json!("TRIGGER_SPEC_INVALID")), "{refused}");
    world.end().await;
}

#[tokio::test]
async fn triggers_and_calendars_are_listed() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let (calendar, trigger) = furnish(&world, &org).await;
    world.settled().await;
    let body = world.body("/triggers?filter=next_at<now%2B1000d", &org.owner).await;
    assert_eq!(column(&body, "trigger_id"), [trigger.to_string()]);
    let one = world.body(&format!("/triggers/{trigger}"), &org.owner).await;
    assert_eq!((&one["kind"], &one["status"]), (&json!("daily"), &json!("active")));
    let before = format!("/triggers/{trigger}?at_version=1");
    assert_eq!(world.body(&before, &org.owner).await["name"], "Daily");
    let body = world.body("/blackout-calendars", &org.owner).await;
    assert_eq!(column(&body, "blackout_calendar_id"), [calendar.to_string()]);
    let one = world.body(&format!("/blackout-calendars/{calendar}"), &org.owner).await;
    assert_eq!(one["blackouts"][0]["label"], "Christmas");
    world.end().await;
}
