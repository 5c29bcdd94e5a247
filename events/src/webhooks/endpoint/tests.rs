//! The rules of an address that hears of events, by example.

use super::*;
use crate::aggregate::{Actor, ActorKind, Context, Rejection as _};
use crate::ids::{SecretId, UserId};
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;
use crate::webhooks::Wanted;

const URL: &str = "https://hooks.acme.example/annals";

fn wanted(names: &[&str]) -> Vec<Wanted> {
    names.iter().map(|name| Wanted::read(name).unwrap()).collect()
}

fn register() -> Register {
    Register {
        url: URL.into(),
        events: vec!["rbac.*".into(), "exports.export.completed".into()],
        description: Some(" Shop ".into()),
        secret_id: id(7),
    }
}

fn registered() -> Event {
    Event::Registered {
        url: URL.into(),
        events: wanted(&["exports.export.completed", "rbac.*"]),
        description: Some("Shop".into()),
        owned_by: id(1),
        secret_id: id(7),
    }
}

fn disabled(reason: DisableReason) -> Event {
    Event::Disabled { reason }
}

fn failing(since: &str) -> Command {
    Command::Report(Report::Failing { since: at(since) })
}

fn redeliver() -> Redeliver {
    Redeliver { delivery_id: id(8), event_id: id::<UserId>(9).0, position: 70 }
}

fn dead() -> DeadLetter {
    DeadLetter {
        delivery_id: id(8),
        event_id: id::<UserId>(9).0,
        attempts: 10,
        last_status: Some(500),
    }
}

fn after(events: impl IntoIterator<Item = Event>) -> crate::testing::Given<Endpoint> {
    given::<Endpoint>([registered()].into_iter().chain(events))
}

#[test]
fn samples_are_frozen() {
    let Redeliver { delivery_id, event_id, position } = redeliver();
    let DeadLetter { attempts, last_status, .. } = dead();
    frozen::<Endpoint>([
        registered(),
        Event::Revised { url: URL.into(), events: wanted(&["*"]), description: None },
        Event::SecretRotated {
            secret_id: id(10),
            old_valid_until: Some(at("2026-01-02T12:00:00Z")),
        },
        Event::TestRequested,
        Event::RedeliveryRequested { delivery_id, event_id, position },
        Event::DeliveryDeadLettered { delivery_id, event_id, attempts, last_status },
        Event::FailingAnnounced { since: at("2025-12-31T12:00:00Z") },
        disabled(DisableReason::Failing),
        Event::Enabled { owned_by: id(2) },
        Event::Deleted,
    ]);
}

#[test]
fn is_registered_once_in_the_name_of_whoever_does_it() {
    given::<Endpoint>([]).when(Command::Register(register())).then([registered()]);
    after([]).when(Command::Register(register())).refused(Rejection::Exists);
    after([Event::Deleted]).when(Command::Register(register())).refused(Rejection::Exists);
    let actor = Actor { kind: ActorKind::Service, id: "workers".into(), ..context().actor };
    given::<Endpoint>([])
        .context(Context { actor, ..context() })
        .when(Command::Register(register()))
        .refused(Rejection::OwnerMissing);
    let full = Facts { endpoints: ENDPOINTS_MAX_COUNT, ..Facts::default() };
    given::<Endpoint>([])
        .facts(full)
        .when(Command::Register(register()))
        .refused(Rejection::TooMany);
}

#[test]
fn is_at_a_public_https_address_or_on_this_machine_where_development_allows_it() {
    let with = |url: &str, loopback: bool| {
        let facts = Facts { loopback, ..Facts::default() };
        let register = Register { url: url.into(), ..register() };
        given::<Endpoint>([]).facts(facts).when(Command::Register(register)).result()
    };
    for url in ["https://a.example", "https://a.example:8443/x?y=z"] {
        assert!(with(url, false).is_ok(), "{url}");
    }
    for url in ["http://127.0.0.1:9000/x", "http://localhost:9000", "https://[::1]:9000/"] {
        assert!(with(url, true).is_ok(), "{url}");
        assert_eq!(with(url, false), Err(Rejection::UrlInvalid), "{url}");
    }
    let long = format!("https://a.example/{}", "x".repeat(URL_MAX_BYTES));
    for url in [
        "",
        "http://a.example",
        "ftp://a.example",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "https://u:p@a.example",
        "https://a.example/#x",
        "https://a.example/ x",
        "https://intranet/",
        &long,
    ] {
        assert_eq!(with(url, true), Err(Rejection::UrlInvalid), "{url}");
    }
}

#[test]
fn hears_of_named_events_each_once() {
    let with = |events: Vec<String>| {
        let register = Register { events, ..register() };
        given::<Endpoint>([]).when(Command::Register(register)).result()
    };
    assert_eq!(with(vec![]), Err(Rejection::EventsSize));
    let many = vec!["*".to_owned(); EVENTS_MAX_COUNT + 1];
    assert_eq!(with(many), Err(Rejection::EventsSize));
    let unknown = Rejection::EventUnknown("shop.*".into());
    assert_eq!(with(vec!["rbac.*".into(), "shop.*".into()]), Err(unknown));
    let twice = with(vec!["rbac.*".into(), " rbac.*".into()]).unwrap();
    let Event::Registered { events, .. } = &twice[0] else { unreachable!("it was registered") };
    assert_eq!(*events, wanted(&["rbac.*"]));
}

#[test]
fn is_revised_as_far_as_something_is_another() {
    let same = Revise { url: Some(URL.into()), ..Revise::default() };
    after([]).when(Command::Revise(same)).then([]);
    let revise =
        Revise { events: Some(vec!["*".into()]), description: Some(None), ..Revise::default() };
    let revised = Event::Revised { url: URL.into(), events: wanted(&["*"]), description: None };
    after([]).when(Command::Revise(revise.clone())).then([revised.clone()]);
    after([disabled(DisableReason::User)]).when(Command::Revise(revise.clone())).then([revised]);
    after([Event::Deleted]).when(Command::Revise(revise)).refused(Rejection::Deleted);
    let wrong = Revise { description: Some(Some(" ".into())), ..Revise::default() };
    let fault = Rejection::DescriptionInvalid(Fault::Empty);
    after([]).when(Command::Revise(wrong)).refused(fault);
}

#[test]
fn two_secrets_sign_while_one_is_replaced_by_the_other() {
    let rotate = |overlap_minutes| {
        Command::RotateSecret(RotateSecret { secret_id: id(10), overlap_minutes })
    };
    let rotated = |until: Option<&str>| Event::SecretRotated {
        secret_id: id(10),
        old_valid_until: until.map(at),
    };
    let tomorrow = rotated(Some("2026-01-02T12:00:00Z"));
    after([]).when(rotate(OVERLAP_MINUTES)).then([tomorrow.clone()]);
    after([]).when(rotate(0)).then([rotated(None)]);
    after([]).when(rotate(OVERLAP_MAX_MINUTES + 1)).refused(Rejection::OverlapTooLong);
    let mut endpoint = Endpoint::default();
    for event in [registered(), tomorrow] {
        endpoint.evolve(&event);
    }
    let signing = |time: &str| endpoint.secrets(at(time)).collect::<Vec<SecretId>>();
    assert_eq!(signing("2026-01-02T11:59:59Z"), [id(10), id(7)]);
    assert_eq!(signing("2026-01-02T12:00:00Z"), [id(10)]);
}

#[test]
fn hears_of_nothing_while_it_is_disabled() {
    after([]).when(Command::Disable).then([disabled(DisableReason::User)]);
    let off = || after([disabled(DisableReason::Gone)]);
    off().when(Command::Disable).then([]);
    off().when(Command::SendTest).refused(Rejection::Disabled);
    off().when(Command::Redeliver(redeliver())).refused(Rejection::Disabled);
    off().when(Command::Enable).then([Event::Enabled { owned_by: id(1) }]);
    after([]).when(Command::Enable).then([]);
    let mut endpoint = Endpoint::default();
    endpoint.evolve(&registered());
    assert!(endpoint.wants("rbac.policy.role_created") && !endpoint.wants("identity.user.locked"));
    endpoint.evolve(&disabled(DisableReason::User));
    assert!(!endpoint.wants("rbac.policy.role_created"));
}

#[test]
fn is_told_of_a_test_and_of_an_event_once_more() {
    after([]).when(Command::SendTest).then([Event::TestRequested]);
    let Redeliver { delivery_id, event_id, position } = redeliver();
    after([]).when(Command::Redeliver(redeliver())).then([Event::RedeliveryRequested {
        delivery_id,
        event_id,
        position,
    }]);
}

#[test]
fn is_disabled_when_it_is_gone_or_its_owner_is() {
    for (report, reason) in
        [(Report::Gone, DisableReason::Gone), (Report::OwnerLost, DisableReason::OwnerLost)]
    {
        after([]).when(Command::Report(report)).then([disabled(reason)]);
        after([disabled(DisableReason::User)]).when(Command::Report(report)).then([]);
        after([Event::Deleted]).when(Command::Report(report)).then([]);
    }
}

#[test]
fn is_disabled_after_five_days_without_an_answer_and_its_owner_hears_of_it_after_one() {
    after([]).when(failing("2025-12-31T12:00:01Z")).then([]);
    let told = || Event::FailingAnnounced { since: at("2025-12-31T12:00:00Z") };
    after([]).when(failing("2025-12-31T12:00:00Z")).then([told()]);
    after([told()]).when(failing("2025-12-31T12:00:00Z")).then([]);
    let earlier = Event::FailingAnnounced { since: at("2025-12-20T12:00:00Z") };
    after([earlier]).when(failing("2025-12-31T12:00:00Z")).then([told()]);
    let off = disabled(DisableReason::Failing);
    after([told()]).when(failing("2025-12-27T12:00:00Z")).then([off]);
    after([told()]).when(failing("2025-12-27T12:00:01Z")).then([]);
}

#[test]
fn what_could_not_be_told_is_recorded() {
    let DeadLetter { delivery_id, event_id, attempts, last_status } = dead();
    let recorded = Event::DeliveryDeadLettered { delivery_id, event_id, attempts, last_status };
    after([]).when(Command::DeadLetter(dead())).then([recorded.clone()]);
    after([disabled(DisableReason::Failing)]).when(Command::DeadLetter(dead())).then([recorded]);
    after([Event::Deleted]).when(Command::DeadLetter(dead())).then([]);
}

#[test]
fn is_deleted_once_and_nothing_is_asked_of_none() {
    after([]).when(Command::Delete).then([Event::Deleted]);
    after([Event::Deleted]).when(Command::Delete).then([]);
    for command in [
        Command::Revise(Revise::default()),
        Command::Disable,
        Command::Enable,
        Command::SendTest,
        Command::Redeliver(redeliver()),
        Command::Delete,
        Command::DeadLetter(dead()),
        Command::Report(Report::Gone),
    ] {
        given::<Endpoint>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn names_its_refusals() {
    assert_eq!(Rejection::UrlInvalid.code(), "ENDPOINT_URL_INVALID");
    assert_eq!(Rejection::EventsSize.pointer(), Some("/events"));
}
