//! The rules of a notification, by example.

use super::*;
use crate::aggregate::{Actor, ActorKind, Claim, Context, Event as _, Rejection as _};
use crate::ids::UserId;
use crate::testing::{context, frozen, given, id};
use crate::text::Fault;

fn send() -> Send {
    Send {
        user_id: id(1),
        kind: Kind::ExportReady,
        title: "Your export is ready".into(),
        message: "Rollen.xlsx, 100 rows".into(),
        link: Some(Link { subject: "exports.export".into(), id: "17".into() }),
        priority: Priority::Normal,
        dedupe_key: Some("export-17-ready".into()),
    }
}

fn created() -> Event {
    Event::Created {
        user_id: id(1),
        kind: Kind::ExportReady,
        title: "Your export is ready".into(),
        message: "Rollen.xlsx, 100 rows".into(),
        link: Some(Link { subject: "exports.export".into(), id: "17".into() }),
        priority: Priority::Normal,
        dedupe_key: Some("export-17-ready".into()),
    }
}

fn caller(kind: ActorKind, name: String, on_behalf_of: Option<UserId>) -> Context {
    let actor = Actor { kind, id: name, session_id: None, on_behalf_of, api_key_id: None };
    Context { actor, ..context() }
}

#[test]
fn samples_are_frozen() {
    frozen::<Notification>([created(), Event::Read, Event::Deleted, Event::Expired]);
}

#[test]
fn every_kind_and_priority_keeps_its_stored_name() {
    assert_eq!(
        serde_json::to_value(<Kind as strum::VariantArray>::VARIANTS).unwrap(),
        serde_json::json!([
            "export_ready",
            "export_failed",
            "role_assigned",
            "role_removed",
            "role_ends",
            "api_key_ends",
            "backup_ready",
            "backup_failed",
            "invitation_accepted",
            "security",
            "organization_purge",
            "report_ready",
            "trigger_refused",
            "schedule_revised",
            "mention",
            "webhook_failing",
            "webhook_disabled",
            "warranty_ends",
            "task_assigned",
            "task_due",
            "task_overdue",
            "message",
        ])
    );
    assert_eq!(
        serde_json::to_string(<Priority as strum::VariantArray>::VARIANTS).unwrap(),
        r#"["low","normal","high","critical"]"#
    );
}

#[test]
fn is_sent_once() {
    given::<Notification>([]).when(Command::Send(send())).then([created()]);
    for last in [created(), Event::Read, Event::Deleted] {
        given::<Notification>([created(), last])
            .when(Command::Send(send()))
            .refused(Rejection::Exists);
    }
}

#[test]
fn tells_a_user_the_same_news_once() {
    let key = format!("{}/export-17-ready", id::<UserId>(1));
    assert_eq!(created().claims(""), [Claim::take(DEDUPE, key)]);
    assert!(Event::Deleted.claims("").is_empty());
    let Event::Created { user_id, kind, title, message, link, priority, .. } = created() else {
        unreachable!()
    };
    let keyless =
        Event::Created { user_id, kind, title, message, link, priority, dedupe_key: None };
    assert!(keyless.claims("").is_empty());
    assert_eq!(CLAIMS[0].0, DEDUPE);
}

#[test]
fn needs_no_more_than_a_recipient_a_kind_and_a_title() {
    let body =
        r#"{"user_id":"01900000-0000-7000-8000-000000000001","kind":"message","title":" Hi "}"#;
    let send: Send = serde_json::from_str(body).unwrap();
    given::<Notification>([]).when(Command::Send(send)).then([Event::Created {
        user_id: id(1),
        kind: Kind::Message,
        title: "Hi".into(),
        message: String::new(),
        link: None,
        priority: Priority::Normal,
        dedupe_key: None,
    }]);
}

#[test]
fn refuses_a_message_that_is_not_well_formed() {
    let refused = |send, rejection| {
        given::<Notification>([]).when(Command::Send(send)).refused(rejection);
    };
    refused(Send { title: " ".into(), ..send() }, Rejection::TitleInvalid(Fault::Empty));
    refused(Send { title: "a\nb".into(), ..send() }, Rejection::TitleInvalid(Fault::Control));
    refused(
        Send { message: "x".repeat(4_001), ..send() },
        Rejection::MessageInvalid(Fault::TooLong(MESSAGE_MAX_CHARS)),
    );
    refused(
        Send { dedupe_key: Some(String::new()), ..send() },
        Rejection::DedupeKeyInvalid(Fault::Empty),
    );
    for (subject, link_id) in [("", "1"), ("Exports", "1"), ("exports.export", ""), ("a", " 1")] {
        let link = Link { subject: subject.into(), id: link_id.into() };
        refused(Send { link: Some(link), ..send() }, Rejection::LinkInvalid);
    }
}

#[test]
fn keeps_the_lines_of_a_message() {
    let send = Send { message: "one\n\ttwo\n".into(), ..send() };
    let events = given::<Notification>([]).when(Command::Send(send)).result().unwrap();
    let Event::Created { message, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(message, "one\n\ttwo");
}

#[test]
fn is_read_once() {
    given::<Notification>([created()]).when(Command::MarkRead).then([Event::Read]);
    given::<Notification>([created(), Event::Read]).when(Command::MarkRead).then([]);
    given::<Notification>([created(), Event::Deleted]).when(Command::MarkRead).then([]);
    given::<Notification>([]).when(Command::MarkRead).refused(Rejection::Unknown);
}

#[test]
fn is_deleted_once_read_or_not() {
    given::<Notification>([created()]).when(Command::Delete).then([Event::Deleted]);
    given::<Notification>([created(), Event::Read]).when(Command::Delete).then([Event::Deleted]);
    given::<Notification>([created(), Event::Deleted]).when(Command::Delete).then([]);
    given::<Notification>([]).when(Command::Delete).refused(Rejection::Unknown);
}

#[test]
fn is_for_its_recipient_only() {
    let recipient = id::<UserId>(1);
    for stranger in [
        caller(ActorKind::User, id::<UserId>(2).to_string(), None),
        caller(ActorKind::User, id::<UserId>(2).to_string(), Some(recipient)),
        caller(ActorKind::Service, recipient.to_string(), None),
        caller(ActorKind::System, "set-up".into(), None),
    ] {
        for command in [Command::MarkRead, Command::Delete] {
            given::<Notification>([created()])
                .context(stranger.clone())
                .when(command)
                .refused(Rejection::NotYours);
        }
    }
    given::<Notification>([created()])
        .context(caller(ActorKind::Service, "mail-gateway".into(), Some(recipient)))
        .when(Command::MarkRead)
        .then([Event::Read]);
}

#[test]
fn names_its_refusals() {
    assert_eq!(Rejection::NotYours.code(), "NOTIFICATION_NOT_YOURS");
    assert_eq!(Rejection::LinkInvalid.pointer(), Some("/link"));
}

#[test]
fn our_workers_take_it_away_when_it_was_kept_long_enough_and_nobody_else() {
    let workers = || {
        let actor = Actor { kind: ActorKind::Service, id: "workers".into(), ..context().actor };
        Context { actor, ..context() }
    };
    let by_them = |events: Vec<Event>| given::<Notification>(events).context(workers());
    by_them(vec![created()]).when(Command::Expire).then([Event::Expired]);
    by_them(vec![created(), Event::Read]).when(Command::Expire).then([Event::Expired]);
    for last in [Event::Deleted, Event::Expired] {
        by_them(vec![created(), last]).when(Command::Expire).then([]);
    }
    by_them(vec![]).when(Command::Expire).refused(Rejection::Unknown);
    given::<Notification>([created()]).when(Command::Expire).refused(Rejection::NotYours);
}

#[test]
fn what_is_sent_by_e_mail_is_for_the_recipient_to_say_but_for_what_has_letters_of_its_own() {
    for kind in <Kind as strum::VariantArray>::VARIANTS {
        let always = [Kind::Security, Kind::OrganizationPurge].contains(kind);
        let key = kind.mail();
        assert_eq!(key.is_none(), always, "{kind:?}");
        assert!(key.is_none_or(|key| key.is_per_user() && !key.is_per_unit()), "{kind:?}");
    }
}
