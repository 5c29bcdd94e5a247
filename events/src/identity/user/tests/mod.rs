//! The rules of a user, by example.

mod erasure;
mod failures;
mod identities;
mod takeover;
mod tokens;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::credentials::{Facts, ended};
use super::*;
use crate::aggregate::{Actor, ActorKind, Claim, Context, Decider, Event as _, Rejection as _};
use crate::identity::session::RevocationReason;
use crate::personal::ERASED;
use crate::rbac::policy::{self, OWNER_LEVEL, Policy, RoleCreated};
use crate::rbac::user_access::{self, UserAccess};
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;

const NOON: &str = "2026-01-01T12:00:00Z";

fn register() -> Register {
    Register {
        handle: "Anna".into(),
        display_name: "Anna Muster".into(),
        email: Some("Anna@Example.org".into()),
        locale: "de-CH".into(),
        time_zone: "Europe/Zurich".into(),
    }
}

fn registered() -> Event {
    Event::Registered {
        handle: "Anna".into(),
        display_name: "Anna Muster".into(),
        email: Some("Anna@Example.org".into()),
        locale: "de-CH".into(),
        time_zone: "Europe/Zurich".into(),
    }
}

fn deactivated() -> Event {
    Event::Deactivated { reason: "left".into() }
}

fn failed(count: u32, failed_at: &str) -> Event {
    Event::LoginFailed { count, failed_at: at(failed_at), ip: None }
}

fn failure() -> Command {
    Command::RecordLoginFailure(RecordLoginFailure { ip: None })
}

fn after(minutes: i64) -> Context {
    Context { now: minutes_later(minutes), ..context() }
}

fn minutes_later(minutes: i64) -> Timestamp {
    at(NOON) + SignedDuration::from_mins(minutes)
}

fn email(address: &str) -> Command {
    Command::ChangeEmail(ChangeEmail { email: Some(address.into()) })
}

fn handle(name: &str) -> Command {
    Command::ChangeHandle(ChangeHandle { handle: name.into() })
}

fn phone(number: Option<&str>) -> Command {
    Command::ChangePhone(ChangePhone { phone: number.map(Into::into) })
}

fn erased() -> Event {
    Event::Erased { handle: "Anna".into(), email: Some("Anna@Example.org".into()) }
}

fn erase(handle: &str) -> Command {
    Command::Erase(Erase { user_id: id(8), handle: Some(handle.into()) })
}

fn link(subject: u128, by_email: Option<&str>) -> Command {
    let by_email = by_email.map(str::to_owned);
    Command::LinkIdentity(LinkIdentity {
        issuer_id: id(9),
        subject_sha256: digest(subject),
        by_email,
    })
}

#[test]
fn samples_are_frozen() {
    frozen::<User>([
        registered(),
        Event::Renamed { display_name: "Anna Beispiel".into() },
        Event::Relocated { locale: "fr-CH".into(), time_zone: "Europe/Zurich".into() },
        Event::EmailReplaced {
            previous: Some("Anna@Example.org".into()),
            email: Some("anna@example.net".into()),
        },
        Event::HandleReplaced { previous: "Anna".into(), handle: "anna.b".into() },
        Event::PhoneReplaced { phone: Some("+41446681800".into()) },
        Event::EmailConfirmed,
        Event::IdentityLinked { issuer_id: id(9), subject_sha256: digest(2) },
        Event::IdentityUnlinked { issuer_id: id(9), subject_sha256: digest(2) },
        Event::PasswordReplaced { secret_id: id(7) },
        Event::PasswordResetRequested {
            token_sha256: digest(1),
            expires_at: at("2026-01-01T12:30:00Z"),
        },
        Event::EmailChangeRequested {
            email: "anna@example.com".into(),
            token_sha256: digest(2),
            expires_at: at("2026-01-01T12:30:00Z"),
        },
        Event::SessionsEnded { reason: RevocationReason::Password, except: Some(id(3)) },
        Event::LoginFailed {
            count: 3,
            failed_at: at("2026-01-01T12:00:00.25Z"),
            ip: Some("192.0.2.1".into()),
        },
        Event::Locked { until: at("2026-01-01T12:15:00Z") },
        Event::LoginFailuresCleared,
        Event::Unlocked,
        deactivated(),
        Event::Reactivated,
        erased(),
    ]);
}

#[test]
fn registers_a_user_once() {
    given::<User>([]).when(Command::Register(register())).then([registered()]);
    given::<User>([registered()]).when(Command::Register(register())).refused(Rejection::Exists);
    given::<User>([registered(), deactivated()])
        .when(Command::Register(register()))
        .refused(Rejection::Exists);
}

#[test]
fn registers_imported_names_and_users_without_email() {
    for handle in ["17", "p/42", "müller", "村上", "a.b+c@d", &"x".repeat(HANDLE_MAX_CHARS)] {
        let register = Register { handle: handle.into(), email: None, ..register() };
        let events = given::<User>([]).when(Command::Register(register)).result().unwrap();
        let Event::Registered { handle: stored, email, .. } = &events[0] else {
            panic!("{events:?}")
        };
        assert_eq!((stored.as_str(), email), (handle, &None));
    }
}

#[test]
fn refuses_everything_before_the_user_exists() {
    for command in [
        Command::Rename(Rename { display_name: "x".into() }),
        Command::Relocate(Relocate { locale: Some("de".into()), time_zone: None }),
        email("a@b.c"),
        handle("anna.b"),
        phone(Some("+41446681800")),
        Command::SetPassword(SetPassword { secret_id: id(7) }),
        failure(),
        Command::RecordLogin,
        Command::Unlock,
        Command::Deactivate(Deactivate { reason: "x".into() }),
        Command::Reactivate,
        erase("x"),
    ] {
        given::<User>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn refuses_handles_that_cannot_be_seen_or_told_apart() {
    let refused = |handle: &str, rejection| {
        let register = Register { handle: handle.into(), ..register() };
        given::<User>([]).when(Command::Register(register)).refused(rejection);
    };
    refused("", Rejection::HandleInvalid(Fault::Empty));
    refused("a\0b", Rejection::HandleInvalid(Fault::Control));
    refused("a\u{202e}b", Rejection::HandleInvalid(Fault::Control));
    refused(&"x".repeat(129), Rejection::HandleInvalid(Fault::TooLong(HANDLE_MAX_CHARS)));
    refused("a b", Rejection::HandleNotPrintable);
    refused("a\u{3000}b", Rejection::HandleNotPrintable);
    refused("a\u{200b}b", Rejection::HandleNotPrintable);
}

#[test]
fn refuses_an_unusable_name_locale_or_zone() {
    let refused = |register, rejection| {
        given::<User>([]).when(Command::Register(register)).refused(rejection);
    };
    refused(
        Register { display_name: " ".into(), ..register() },
        Rejection::DisplayNameInvalid(Fault::Empty),
    );
    refused(Register { locale: "german".into(), ..register() }, Rejection::LocaleInvalid);
    refused(Register { time_zone: "Bern".into(), ..register() }, Rejection::TimeZoneUnknown);
}

#[test]
fn accepts_addresses_and_refuses_what_is_none() {
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long_domain = format!("a@{}.org", "a.".repeat(125) + "a");
    for bad in [
        "",
        "anna",
        "@example.org",
        "anna@",
        "a b@example.org",
        "a@b@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a.@example.org",
        "a@-b.org",
        "a@b-.org",
        "a@b..org",
        "a@exämple.org",
        "ä@example.org",
        "a@example.org\r\nBcc: b@c.d",
        &long_local,
        &long_domain,
    ] {
        given::<User>([registered()]).when(email(bad)).refused(Rejection::EmailInvalid);
    }
    for good in ["a@b", "a.b+c@sub.example.org", "o'neil@example.org", "x@xn--exmple-cua.org"] {
        assert!(given::<User>([registered()]).when(email(good)).result().is_ok(), "{good}");
    }
}

#[test]
fn takes_handle_and_email_in_the_organisation_whatever_their_case() {
    assert_eq!(
        registered().claims(""),
        [Claim::take(EMAIL, "anna@example.org"), Claim::take(HANDLE, "anna")]
    );
    let namespaces: Vec<_> = CLAIMS.iter().map(|claim| claim.0).collect();
    assert_eq!(namespaces, [HANDLE, EMAIL, IDENTITY]);
}

#[test]
fn replaces_an_email_and_gives_the_old_one_back() {
    let replaced = Event::EmailReplaced {
        previous: Some("Anna@Example.org".into()),
        email: Some("anna@example.net".into()),
    };
    given::<User>([registered()]).when(email("anna@example.net")).then([replaced.clone()]);
    assert_eq!(
        replaced.claims(""),
        [Claim::release(EMAIL, "anna@example.org"), Claim::take(EMAIL, "anna@example.net")]
    );
    given::<User>([registered()]).when(email(" Anna@Example.org")).then([]);
}

#[test]
fn gives_an_email_up() {
    let removed = Event::EmailReplaced { previous: Some("Anna@Example.org".into()), email: None };
    given::<User>([registered()])
        .when(Command::ChangeEmail(ChangeEmail { email: None }))
        .then([removed.clone()]);
    assert_eq!(removed.claims(""), [Claim::release(EMAIL, "anna@example.org")]);
    given::<User>([registered(), removed])
        .when(Command::ChangeEmail(ChangeEmail { email: None }))
        .then([]);
}

#[test]
fn keeps_its_claim_when_only_the_case_of_the_email_changes() {
    let replaced = Event::EmailReplaced {
        previous: Some("Anna@Example.org".into()),
        email: Some("anna@example.org".into()),
    };
    given::<User>([registered()]).when(email("anna@example.org")).then([replaced.clone()]);
    assert!(replaced.claims("").is_empty());
}

#[test]
fn replaces_a_handle_and_gives_the_old_one_back() {
    let replaced = |to: &str| Event::HandleReplaced { previous: "Anna".into(), handle: to.into() };
    given::<User>([registered()]).when(handle("bea")).then([replaced("bea")]);
    assert_eq!(
        replaced("bea").claims(""),
        [Claim::release(HANDLE, "anna"), Claim::take(HANDLE, "bea")]
    );
    given::<User>([registered()]).when(handle("anna")).then([replaced("anna")]);
    assert!(replaced("anna").claims("").is_empty(), "only the case of it changes");
    given::<User>([registered()]).when(handle("Anna")).then([]);
    given::<User>([registered()]).when(handle("an na")).refused(Rejection::HandleNotPrintable);
    let mut by_key = context();
    by_key.actor.api_key_id = Some(id(8));
    given::<User>([registered()]).context(by_key).when(handle("bea")).refused(Rejection::ByKey);
    let erased = Event::Erased { handle: "bea".into(), email: Some("Anna@Example.org".into()) };
    let erase = Command::Erase(Erase { user_id: id(2), handle: Some("bea".into()) });
    given::<User>([registered(), replaced("bea"), deactivated()]).when(erase).then([erased]);
}

#[test]
fn takes_and_gives_up_a_telephone_number_of_e164_and_no_other() {
    let replaced = |phone: Option<&str>| Event::PhoneReplaced { phone: phone.map(Into::into) };
    for number in ["+4144668", "+41446681800", "+123456789012345"] {
        given::<User>([registered()]).when(phone(Some(number))).then([replaced(Some(number))]);
        let past = || [registered(), replaced(Some(number))];
        given::<User>(past()).when(phone(Some(&format!(" {number}")))).then([]);
        given::<User>(past()).when(phone(None)).then([replaced(None)]);
    }
    given::<User>([registered()]).when(phone(None)).then([]);
    for wrong in
        ["", "+", "+414466", "+1234567890123456", "+0446681800", "0446681800", "+41 44 668"]
    {
        given::<User>([registered()]).when(phone(Some(wrong))).refused(Rejection::PhoneInvalid);
    }
    assert_eq!(Rejection::PhoneInvalid.pointer(), Some("/phone"));
    let mut user = User::default();
    let erased = Event::Erased { handle: "Anna".into(), email: None };
    for event in [registered(), replaced(Some("+41446681800")), erased] {
        user.evolve(&event);
    }
    assert_eq!(user.phone, None);
}

#[test]
fn renames_and_relocates_only_to_something_else() {
    let rename = |name: &str| Command::Rename(Rename { display_name: name.into() });
    given::<User>([registered()])
        .when(rename("Anna B."))
        .then([Event::Renamed { display_name: "Anna B.".into() }]);
    given::<User>([registered()]).when(rename("Anna Muster")).then([]);
    let relocate = |locale: Option<&str>, zone: Option<&str>| {
        let [locale, time_zone] = [locale, zone].map(|it| it.map(str::to_owned));
        Command::Relocate(Relocate { locale, time_zone })
    };
    let to = |locale, zone| relocate(Some(locale), Some(zone));
    let relocated = |locale: &str, zone: &str| Event::Relocated {
        locale: locale.into(),
        time_zone: zone.into(),
    };
    given::<User>([registered()])
        .when(relocate(Some("fr"), None))
        .then([relocated("fr", "Europe/Zurich")]);
    given::<User>([registered()])
        .when(relocate(None, Some("UTC")))
        .then([relocated("de-CH", "UTC")]);
    given::<User>([registered()]).when(relocate(None, Some("Europe/Zurich"))).then([]);
    given::<User>([registered()]).when(relocate(None, None)).then([]);
    given::<User>([registered()])
        .when(to("en", "asia/tokyo"))
        .then([relocated("en", "Asia/Tokyo")]);
    given::<User>([registered()]).when(to("de-ch", "Europe/Zurich")).then([]);
    given::<User>([registered()]).when(to("x", "UTC")).refused(Rejection::LocaleInvalid);
    given::<User>([registered()]).when(to("en", "Mars")).refused(Rejection::TimeZoneUnknown);
}

#[test]
fn deactivates_and_reactivates() {
    let deactivate = |reason: &str| Command::Deactivate(Deactivate { reason: reason.into() });
    given::<User>([registered()])
        .when(deactivate(" left "))
        .then([deactivated(), ended(RevocationReason::Deactivated, None)]);
    given::<User>([registered(), deactivated()]).when(deactivate("again")).then([]);
    given::<User>([registered()]).when(Command::Reactivate).then([]);
    let past = || [registered(), deactivated()];
    given::<User>(past()).when(Command::Reactivate).then([Event::Reactivated]);
    given::<User>(past().into_iter().chain([Event::Reactivated]))
        .when(Command::RecordLogin)
        .then([]);
    given::<User>([registered()])
        .when(deactivate(""))
        .refused(Rejection::ReasonInvalid(Fault::Empty));
}

#[test]
fn leaves_a_deactivated_user_as_they_are() {
    for command in [
        Command::Rename(Rename { display_name: "x".into() }),
        Command::Relocate(Relocate { locale: Some("de".into()), time_zone: None }),
        email("a@b.c"),
        handle("anna.b"),
        phone(Some("+41446681800")),
        Command::SetPassword(SetPassword { secret_id: id(7) }),
        Command::RecordLogin,
        Command::Unlock,
    ] {
        given::<User>([registered(), deactivated()]).when(command).refused(Rejection::Deactivated);
    }
    given::<User>([registered(), deactivated()]).when(failure()).then([]);
}

#[test]
fn names_its_refusals() {
    assert_eq!(Rejection::EmailInvalid.code(), "USER_EMAIL_INVALID");
    assert_eq!(Rejection::EmailInvalid.pointer(), Some("/email"));
    assert_eq!(
        Rejection::Locked(at(NOON)).to_string(),
        "the user is locked until 2026-01-01T12:00:00Z: wait, or have them unlocked"
    );
}

/// The digest of the token of a request.
fn digest(request: u128) -> String {
    format!("{request:064x}")
}
