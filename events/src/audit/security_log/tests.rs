//! What is kept of a refusal, and of a reading.

use serde_json::{Map, json};

use super::{
    AccessDenied, Caller, Command, CommandRefused, DataRead, Event, SecurityLog, stream_id,
};
use crate::aggregate::ActorKind;
use crate::testing::{at, frozen, given, id};

fn refused() -> CommandRefused {
    CommandRefused {
        command: "rbac_policy_create_role".to_owned(),
        resource_type: "rbac.policy".to_owned(),
        resource_id: Some("01900000-0000-7000-8000-000000000000".to_owned()),
        status: 409,
        code: "ROLE_NAME_TAKEN".to_owned(),
        detail: "name \"Planner\" is that of another role of the unit; choose another name"
            .to_owned(),
        extensions: Map::new(),
    }
}

fn denied() -> AccessDenied {
    AccessDenied {
        permission: "rbac.roles:manage".to_owned(),
        unit_id: Some(id(7)),
        method: "POST".to_owned(),
        path_template: "/api/v1/rbac/roles".to_owned(),
        reason: "no role of the user is granted it".to_owned(),
        repeated: 0,
        caller: None,
    }
}

fn read() -> DataRead {
    DataRead {
        reader_kind: ActorKind::User,
        reader_id: "01900000-0000-7000-8000-000000000001".to_owned(),
        session_id: Some(id(2)),
        api_key_id: None,
        dataset: "identity.users".to_owned(),
        filters: vec![String::new(), "login_failures > 3".to_owned()],
        reads: 7,
        rows: 350,
        first_at: at("2026-03-01T08:00:00Z"),
        last_at: at("2026-03-01T08:04:30Z"),
    }
}

#[test]
fn records_a_reading_with_its_first_filters() {
    given::<SecurityLog>([]).when(Command::RecordRead(read())).then([Event::DataRead(read())]);
    let filters = |count| (0..count).map(|n| format!("level = {n}")).collect();
    let many = DataRead { filters: filters(100), ..read() };
    let kept = DataRead { filters: filters(5), ..read() };
    given::<SecurityLog>([]).when(Command::RecordRead(many)).then([Event::DataRead(kept)]);
}

#[test]
fn records_a_refused_command() {
    given::<SecurityLog>([])
        .when(Command::RecordRefusal(refused()))
        .then([Event::CommandRefused(refused())]);
}

#[test]
fn records_a_lacking_permission_after_other_refusals() {
    given::<SecurityLog>([Event::CommandRefused(refused())])
        .when(Command::RecordDenial(denied()))
        .then([Event::AccessDenied(denied())]);
}

#[test]
fn records_how_often_a_refusal_was_repeated() {
    let reason = "no role of the user is granted it; 41 more such requests within a minute";
    let counted = AccessDenied { reason: reason.to_owned(), repeated: 41, ..denied() };
    assert_eq!(denied().standing_for(41), counted);
    given::<SecurityLog>([])
        .when(Command::RecordDenial(counted.clone()))
        .then([Event::AccessDenied(counted)]);
}

#[test]
fn records_who_was_refused_a_question() {
    let by = |id: &str| {
        let (session_id, api_key_id) = (Some(self::id(2)), None);
        let caller = Caller { kind: ActorKind::User, id: id.to_owned(), session_id, api_key_id };
        AccessDenied { caller: Some(caller), ..denied() }
    };
    let record = |denied| given::<SecurityLog>([]).when(Command::RecordDenial(denied));
    record(by("anna")).then([Event::AccessDenied(by("anna"))]);
    record(by(&"a".repeat(1_000))).then([Event::AccessDenied(by(&"a".repeat(200)))]);
    let stored = serde_json::to_string(&Event::AccessDenied(by("anna"))).unwrap();
    let read: Event = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, Event::AccessDenied(by("anna")));
}

#[test]
fn cuts_what_a_caller_made_too_long_and_takes_out_what_hides() {
    let long = CommandRefused { detail: format!("\u{202e}{}", "ä".repeat(2_000)), ..refused() };
    let kept = CommandRefused { detail: "ä".repeat(1_000), ..refused() };
    given::<SecurityLog>([]).when(Command::RecordRefusal(long)).then([Event::CommandRefused(kept)]);
}

#[test]
fn keeps_what_else_an_answer_said_whole_or_not_at_all() {
    let with = |pointer: &str| {
        let errors = json!([{"pointer": pointer, "code": "ROLE_NAME_TAKEN", "detail": "taken"}]);
        CommandRefused { extensions: Map::from_iter([("errors".into(), errors)]), ..refused() }
    };
    let record = |refused| given::<SecurityLog>([]).when(Command::RecordRefusal(refused));
    record(with("/name")).then([Event::CommandRefused(with("/name"))]);
    record(with(&"/name".repeat(10_000))).then([Event::CommandRefused(refused())]);
}

#[test]
fn a_refusal_belongs_to_the_day_in_utc() {
    assert_eq!(stream_id(at("2026-03-01T00:30:00+02:00")), "2026-02-28");
    assert_eq!(stream_id(at("2026-03-01T00:00:00Z")), "2026-03-01");
}

#[test]
fn stored_refusals_keep_their_shape() {
    frozen::<SecurityLog>([
        Event::CommandRefused(refused()),
        Event::AccessDenied(denied()),
        Event::DataRead(read()),
    ]);
}
