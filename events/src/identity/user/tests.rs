//! The rules of a user, by example.

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

/// A user who failed to sign in `count` times, one minute apart from noon on.
fn failing(count: i64) -> User {
    let mut user = User::default();
    user.evolve(&registered());
    for minute in 0..count {
        for event in user.decide(failure(), &Facts::default(), &after(minute)).unwrap() {
            user.evolve(&event);
        }
    }
    user
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

fn erased() -> Event {
    Event::Erased { handle: "Anna".into(), email: Some("Anna@Example.org".into()) }
}

fn erase(handle: &str) -> Command {
    Command::Erase(Erase { user_id: id(8), handle: Some(handle.into()) })
}

fn as_workers() -> Context {
    let id = "workers".into();
    let actor = Actor {
        kind: ActorKind::Service,
        id,
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    Context { actor, ..context() }
}

#[test]
fn erases_a_deactivated_user_whose_handle_is_repeated() {
    let past = [registered(), deactivated()];
    given::<User>(past.clone()).when(erase("Anna")).then([erased()]);
    given::<User>(past.clone()).when(erase("anna")).refused(Rejection::ConfirmationWrong);
    given::<User>([registered()]).when(erase("Anna")).refused(Rejection::Active);
    let oneself = Erase { user_id: id(1), handle: Some("Anna".into()) };
    given::<User>(past).when(Command::Erase(oneself)).refused(Rejection::ErasesSelf);
    let again = Command::Erase(Erase { user_id: id(8), handle: None });
    for past in [vec![registered()], vec![registered(), deactivated()]] {
        given::<User>(past).context(as_workers()).when(again.clone()).then([erased()]);
    }
}

#[test]
fn an_erased_user_is_forgotten_and_stays_so() {
    let past = || [registered(), deactivated(), erased()];
    let mut user = User::default();
    for event in &past() {
        user.evolve(event);
    }
    assert_eq!((user.handle.as_str(), user.email.as_ref()), (ERASED, None));
    assert!(!serde_json::to_string(&user).unwrap().contains("Anna"));
    given::<User>(past()).when(erase("Anna")).then([]);
    given::<User>(past()).when(failure()).then([]);
    for command in [
        Command::Register(register()),
        Command::Rename(Rename { display_name: "x".into() }),
        Command::SetPassword(SetPassword { secret_id: id(7) }),
        Command::RecordLogin,
        Command::Unlock,
        Command::Reactivate,
        email("a@b.c"),
    ] {
        given::<User>(past()).when(command).refused(Rejection::Erased);
    }
}

#[test]
fn the_handle_and_address_of_an_erased_user_are_free_again() {
    let freed = [Claim::release(EMAIL, "anna@example.org"), Claim::release(HANDLE, "anna")];
    assert_eq!(erased().claims("x"), freed);
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
fn names_the_secret_that_holds_the_password() {
    let set = |number| Command::SetPassword(SetPassword { secret_id: id(number) });
    let replaced = |number| Event::PasswordReplaced { secret_id: id(number) };
    given::<User>([registered()]).when(set(7)).then([replaced(7)]);
    given::<User>([registered(), replaced(7)])
        .when(set(8))
        .then([replaced(8), ended(RevocationReason::Password, None)]);
    given::<User>([registered(), replaced(7)]).when(set(7)).then([]);
}

#[test]
fn counts_failed_sign_ins_of_the_last_quarter_of_an_hour() {
    let stored = Some("192.0.2.1".into());
    given::<User>([registered()])
        .when(Command::RecordLoginFailure(RecordLoginFailure { ip: Some([192, 0, 2, 1].into()) }))
        .then([Event::LoginFailed { count: 1, failed_at: at(NOON), ip: stored }]);
    let past = [registered(), failed(1, "2026-01-01T11:45:00Z"), failed(2, "2026-01-01T11:45:01Z")];
    given::<User>(past).when(failure()).then([failed(2, NOON)]);
}

#[test]
fn locks_at_the_tenth_failure_within_a_quarter_of_an_hour() {
    let user = failing(9);
    assert_eq!(user.locked(minutes_later(9)), None);
    let tenth = user.decide(failure(), &Facts::default(), &after(9)).unwrap();
    assert_eq!(
        tenth,
        [
            Event::LoginFailed { count: 10, failed_at: minutes_later(9), ip: None },
            Event::Locked { until: minutes_later(9 + LOCK_MINUTES) },
        ]
    );
    let spread =
        user.decide(failure(), &Facts::default(), &after(FAILURES_WINDOW_MINUTES)).unwrap();
    assert_eq!(spread, [Event::LoginFailed { count: 9, failed_at: minutes_later(15), ip: None }]);
}

#[test]
fn writes_nothing_while_locked_and_counts_afresh_afterwards() {
    let user = failing(10);
    assert_eq!(user.decide(failure(), &Facts::default(), &after(20)), Ok(vec![]));
    let fresh = Event::LoginFailed { count: 1, failed_at: minutes_later(24), ip: None };
    assert_eq!(user.decide(failure(), &Facts::default(), &after(24)), Ok(vec![fresh]));
}

#[test]
fn keeps_a_locked_user_out_until_the_lock_ends() {
    let user = failing(10);
    let until = minutes_later(24);
    let login = |minutes| user.decide(Command::RecordLogin, &Facts::default(), &after(minutes));
    assert_eq!(login(23), Err(Rejection::Locked(until)));
    assert_eq!(login(24), Ok(vec![]));
    assert_eq!(user.may_sign_in(minutes_later(23)), Err(Rejection::Locked(until)));
    assert_eq!(user.may_sign_in(until), Ok(()));
}

#[test]
fn forgets_failures_when_the_user_signs_in() {
    given::<User>([registered()]).when(Command::RecordLogin).then([]);
    let past = || [registered(), failed(1, "2026-01-01T11:59:00Z")];
    given::<User>(past()).when(Command::RecordLogin).then([Event::LoginFailuresCleared]);
    given::<User>(past().into_iter().chain([Event::LoginFailuresCleared]))
        .when(failure())
        .then([failed(1, NOON)]);
}

#[test]
fn unlocks_a_locked_or_failing_user() {
    assert_eq!(
        failing(10).decide(Command::Unlock, &Facts::default(), &after(10)),
        Ok(vec![Event::Unlocked])
    );
    assert_eq!(
        failing(3).decide(Command::Unlock, &Facts::default(), &after(10)),
        Ok(vec![Event::Unlocked])
    );
    assert_eq!(failing(10).decide(Command::Unlock, &Facts::default(), &after(60)), Ok(vec![]));
    given::<User>([registered()]).when(Command::Unlock).then([]);
    let mut user = failing(10);
    user.evolve(&Event::Unlocked);
    assert_eq!(user.may_sign_in(minutes_later(10)), Ok(()));
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

const OWNER: u128 = 100;
const MANAGER: u128 = 101;
const CLERK: u128 = 102;

/// The digest of the token of a request.
fn digest(request: u128) -> String {
    format!("{request:064x}")
}

/// An owner, held by user 9 and everybody in `owners`, over a manager, over a clerk.
fn policy(owners: &[u128]) -> Policy {
    let mut policy = Policy::default();
    policy.evolve(&policy::Event::Initialized { owner_role_id: id(OWNER) });
    for (number, level) in [(OWNER, OWNER_LEVEL), (MANAGER, 500), (CLERK, 100)] {
        policy.evolve(&policy::Event::RoleCreated(RoleCreated {
            role_id: id(number),
            name: format!("role {number}"),
            code: format!("role-{number}"),
            description: None,
            level,
            unit_id: None,
            system: number == OWNER,
            protected: number == OWNER,
        }));
    }
    let everything =
        policy::Event::PermissionGranted { role_id: id(OWNER), permission: "*:*".into() };
    policy.evolve(&everything);
    for user in owners {
        policy.evolve(&policy::Event::ProtectedRoleGranted {
            user_id: id(*user),
            role_id: id(OWNER),
            unit_id: None,
            expires_at: None,
        });
    }
    policy
}

fn access(roles: &[u128]) -> Arc<UserAccess> {
    let mut access = UserAccess::default();
    for role in roles {
        let assigned = user_access::Event::RoleAssigned {
            role_id: id(*role),
            unit_id: None,
            expires_at: None,
        };
        access.evolve(&assigned);
    }
    Arc::new(access)
}

/// User 7, with these roles, in the hands of user 1, with those.
fn in_hands(of_user: &[u128], of_caller: &[u128], owners: &[u128]) -> Facts {
    Facts {
        user_id: id(7),
        policy: Arc::new(policy(owners)),
        access: access(of_user),
        caller_access: access(of_caller),
        ..Facts::default()
    }
}

fn takeovers() -> [Command; 3] {
    let password = Command::SetPassword(SetPassword { secret_id: id(8) });
    [password, email("mine@example.org"), link(2, None)]
}

#[test]
fn takes_over_nobody_who_has_a_role_that_one_may_not_give() {
    let refused = |facts: Facts| {
        for command in takeovers() {
            given::<User>([registered()])
                .facts(facts.clone())
                .when(command)
                .refused(Rejection::OutOfReach);
        }
    };
    refused(in_hands(&[MANAGER], &[MANAGER], &[9]));
    refused(in_hands(&[CLERK], &[], &[9]));
    refused(in_hands(&[], &[MANAGER], &[7, 9]));
    for facts in [
        in_hands(&[CLERK], &[MANAGER], &[9]),
        in_hands(&[], &[], &[9]),
        in_hands(&[MANAGER], &[], &[1]),
        in_hands(&[], &[], &[1, 7]),
    ] {
        for command in takeovers() {
            let given = given::<User>([registered()]).facts(facts.clone());
            assert!(given.when(command).result().is_ok());
        }
    }
}

#[test]
fn closes_opens_and_unlocks_nobody_who_has_a_role_that_one_may_not_give() {
    let leave = Command::Deactivate(Deactivate { reason: "left".into() });
    let locked = Event::Locked { until: at("2026-01-01T12:15:00Z") };
    for (past, command) in [
        (vec![registered()], leave),
        (vec![registered(), deactivated()], Command::Reactivate),
        (vec![registered(), locked], Command::Unlock),
    ] {
        let by = |of_user: &[u128], of_caller: &[u128], owners: &[u128]| {
            let facts = in_hands(of_user, of_caller, owners);
            given::<User>(past.clone()).facts(facts).when(command.clone())
        };
        by(&[MANAGER], &[MANAGER], &[9]).refused(Rejection::OutOfReach);
        by(&[], &[MANAGER], &[7, 9]).refused(Rejection::OutOfReach);
        assert!(by(&[CLERK], &[MANAGER], &[9]).result().is_ok());
        assert!(by(&[MANAGER], &[], &[1]).result().is_ok());
    }
}

#[test]
fn no_key_changes_what_somebody_signs_in_with() {
    let mut by_key = context();
    by_key.actor.api_key_id = Some(id(5));
    let wanted = RequestEmailChange { email: "mine@example.org".into() };
    for command in takeovers().into_iter().chain([Command::RequestEmailChange(wanted)]) {
        given::<User>([registered()])
            .facts(Facts { user_id: id(1), ..Facts::default() })
            .context(by_key.clone())
            .when(command)
            .refused(Rejection::ByKey);
    }
}

#[test]
fn changes_their_own_password_whatever_they_are_and_goes_on_in_that_session() {
    let facts = Facts { user_id: id(1), ..in_hands(&[MANAGER], &[], &[1, 9]) };
    let mut here = context();
    here.actor.session_id = Some(id(5));
    let old = Event::PasswordReplaced { secret_id: id(3) };
    given::<User>([registered(), old])
        .facts(facts)
        .context(here)
        .when(Command::SetPassword(SetPassword { secret_id: id(8) }))
        .then([
            Event::PasswordReplaced { secret_id: id(8) },
            ended(RevocationReason::Password, Some(id(5))),
        ]);
}

#[test]
fn the_last_administrator_who_may_sign_in_is_not_deactivated() {
    let leave = || Command::Deactivate(Deactivate { reason: "left".into() });
    let last = in_hands(&[], &[], &[1, 7]);
    given::<User>([registered()])
        .facts(last.clone())
        .when(leave())
        .refused(Rejection::LastAdministrator);
    for facts in [Facts { another_administrator: true, ..last }, in_hands(&[MANAGER], &[], &[1])] {
        assert!(given::<User>([registered()]).facts(facts).when(leave()).result().is_ok());
    }
}

fn asking(request: u128) -> Facts {
    Facts { next_sha256: digest(request), ..Facts::default() }
}

fn forgotten(request: u128, minute: i64) -> Event {
    let expires_at = minutes_later(minute + TOKEN_MINUTES);
    Event::PasswordResetRequested { token_sha256: digest(request), expires_at }
}

fn reset(request: u128) -> Command {
    let presented_sha256 = digest(request);
    Command::ResetPassword(ResetPassword { presented_sha256, secret_id: id(8) })
}

#[test]
fn a_forgotten_password_is_asked_for_once_a_minute() {
    let ask = |past: Vec<Event>, minute| {
        let given = given::<User>([registered()].into_iter().chain(past)).facts(asking(2));
        given.context(after(minute)).when(Command::RequestPasswordReset)
    };
    ask(vec![], 0).then([forgotten(2, 0)]);
    ask(vec![forgotten(1, 0)], 0).then([]);
    ask(vec![forgotten(1, 0)], 1).then([forgotten(2, 1)]);
    ask(vec![deactivated()], 0).then([]);
    let gone = Event::EmailReplaced { previous: Some("Anna@Example.org".into()), email: None };
    ask(vec![gone], 0).then([]);
}

#[test]
fn a_token_sets_a_password_once_and_until_it_expires_and_ends_every_session() {
    let old = || Event::PasswordReplaced { secret_id: id(3) };
    let new = || Event::PasswordReplaced { secret_id: id(8) };
    let past = || vec![registered(), old(), forgotten(1, 0)];
    let all = || ended(RevocationReason::Password, None);
    let when = |past: Vec<Event>, minute: i64, request| {
        given::<User>(past).context(after(minute)).when(reset(request))
    };
    when(past(), 29, 1).then([Event::EmailConfirmed, new(), all()]);
    when(past(), 30, 1).refused(Rejection::TokenExpired);
    when(past(), 0, 2).refused(Rejection::TokenUnknown);
    let used = past().into_iter().chain([new(), all()]).collect();
    when(used, 1, 1).refused(Rejection::TokenUnknown);
    let again = past().into_iter().chain([forgotten(2, 2)]).collect();
    when(again, 3, 1).refused(Rejection::TokenUnknown);
    let locked = past().into_iter().chain([Event::Locked { until: minutes_later(15) }]).collect();
    when(locked, 1, 1).then([Event::Unlocked, Event::EmailConfirmed, new(), all()]);
    let moved = Event::EmailReplaced { previous: None, email: Some("new@example.org".into()) };
    when(past().into_iter().chain([moved]).collect(), 1, 1).refused(Rejection::TokenUnknown);
}

#[test]
fn a_new_address_counts_once_it_is_confirmed() {
    let wanted =
        |email: &str| Command::RequestEmailChange(RequestEmailChange { email: email.into() });
    let asked = || Event::EmailChangeRequested {
        email: "new@example.org".into(),
        token_sha256: digest(1),
        expires_at: minutes_later(TOKEN_MINUTES),
    };
    let given = |past: Vec<Event>, minute| {
        given::<User>([registered()].into_iter().chain(past))
            .facts(asking(1))
            .context(after(minute))
    };
    given(vec![], 0).when(wanted("new@example.org")).then([asked()]);
    given(vec![], 0).when(wanted("Anna@Example.org")).then([]);
    given(vec![], 0).when(wanted("nowhere")).refused(Rejection::EmailInvalid);
    let again = given(vec![asked()], 0).when(wanted("other@example.org"));
    again.refused(Rejection::RequestedJustNow);
    let confirm = |request| {
        Command::ConfirmEmailChange(ConfirmEmailChange { presented_sha256: digest(request) })
    };
    let replaced = || Event::EmailReplaced {
        previous: Some("Anna@Example.org".into()),
        email: Some("new@example.org".into()),
    };
    given(vec![asked()], 29).when(confirm(1)).then([replaced(), Event::EmailConfirmed]);
    given(vec![asked()], 30).when(confirm(1)).refused(Rejection::TokenExpired);
    given(vec![asked()], 1).when(confirm(2)).refused(Rejection::TokenUnknown);
    given(vec![asked(), replaced()], 2).when(confirm(1)).refused(Rejection::TokenUnknown);
}

#[test]
fn sessions_that_began_before_an_end_do_not_go_on_unless_spared() {
    let mut user = User::default();
    user.evolve(&registered());
    assert!(user.keeps(id(1), 0));
    user.evolve(&ended(RevocationReason::Password, Some(id(1))));
    assert!(user.keeps(id(1), 0) && !user.keeps(id(2), 0) && user.keeps(id(2), 1));
    user.evolve(&ended(RevocationReason::Logout, None));
    assert!(!user.keeps(id(1), 0) && !user.keeps(id(2), 1) && user.keeps(id(3), 2));
}

fn linked(subject: u128) -> Event {
    Event::IdentityLinked { issuer_id: id(9), subject_sha256: digest(subject) }
}

fn unlinked(subject: u128) -> Event {
    Event::IdentityUnlinked { issuer_id: id(9), subject_sha256: digest(subject) }
}

fn link(subject: u128, by_email: Option<&str>) -> Command {
    let by_email = by_email.map(str::to_owned);
    Command::LinkIdentity(LinkIdentity {
        issuer_id: id(9),
        subject_sha256: digest(subject),
        by_email,
    })
}

fn unlink() -> Command {
    Command::UnlinkIdentity(UnlinkIdentity { issuer_id: id(9) })
}

/// The installation at a sign-in.
fn signing_in() -> Context {
    let actor = Actor {
        kind: ActorKind::System,
        id: "sign-in".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    Context { actor, ..context() }
}

#[test]
fn an_address_alone_links_an_identity_only_where_the_user_has_confirmed_it() {
    let at_sign_in = |past: Vec<Event>| given::<User>(past).context(signing_in());
    let confirmed = || vec![registered(), Event::EmailConfirmed];
    let by = |email: &str| link(2, Some(email));
    at_sign_in(confirmed()).when(by("anna@example.ORG")).then([linked(2)]);
    let unconfirmed = Rejection::EmailUnconfirmed;
    at_sign_in(vec![registered()]).when(by("anna@example.org")).refused(unconfirmed.clone());
    at_sign_in(confirmed()).when(by("anna@example.net")).refused(unconfirmed.clone());
    let elsewhere = Event::EmailReplaced { previous: None, email: Some("b@example.org".into()) };
    let moved = confirmed().into_iter().chain([elsewhere]).collect();
    at_sign_in(moved).when(by("b@example.org")).refused(unconfirmed);
}

#[test]
fn a_used_address_that_somebody_else_has_now_does_not_hand_over_the_account() {
    let past = [registered(), Event::EmailConfirmed, linked(2)];
    let given = || given::<User>(past.clone()).context(signing_in());
    given().when(link(2, Some("anna@example.org"))).then([]);
    given().when(link(3, Some("anna@example.org"))).refused(Rejection::IdentityDiffers);
}

#[test]
fn an_identity_is_one_users_and_given_back_when_it_is_unlinked_or_they_are_erased() {
    let key = format!("{}:{}", id::<crate::ids::IssuerId>(9), digest(2));
    assert_eq!(linked(2).claims("u"), [Claim::take(IDENTITY, key.clone())]);
    assert_eq!(unlinked(2).claims("u"), [Claim::release(IDENTITY, key)]);
    let past = [registered(), linked(2), deactivated()];
    let erase = Erase { user_id: id(4), handle: Some("Anna".into()) };
    let events = given::<User>(past).when(Command::Erase(erase)).result().unwrap();
    assert_eq!(events[0], unlinked(2));
    assert!(matches!(events[1], Event::Erased { .. }));
}

#[test]
fn unlinking_ends_every_session_but_the_one_it_is_done_in() {
    let own = Facts { user_id: id(1), ..Facts::default() };
    let mut context = context();
    context.actor.session_id = Some(id(5));
    let past = || given::<User>([registered(), linked(2)]).facts(own.clone());
    let kept = |except| ended(RevocationReason::Unlinked, except);
    past().context(context.clone()).when(unlink()).then([unlinked(2), kept(Some(id(5)))]);
    let others = given::<User>([registered(), linked(2)]).context(signing_in());
    others.when(unlink()).then([unlinked(2), kept(None)]);
    given::<User>([registered()]).facts(own).when(unlink()).refused(Rejection::IdentityUnknown);
}

#[test]
fn identities_are_few_and_of_active_users() {
    let many = (0..8)
        .map(|nth| Event::IdentityLinked { issuer_id: id(20 + nth), subject_sha256: digest(nth) });
    given::<User>([registered()].into_iter().chain(many))
        .context(signing_in())
        .when(link(2, None))
        .refused(Rejection::IdentitiesTooMany);
    for command in [link(2, None), unlink()] {
        let gone = given::<User>([registered(), linked(2), deactivated()]);
        gone.when(command.clone()).refused(Rejection::Deactivated);
        given::<User>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn a_forgotten_password_confirms_the_address_that_its_token_went_to() {
    let asked = Event::PasswordResetRequested {
        token_sha256: digest(1),
        expires_at: minutes_later(TOKEN_MINUTES),
    };
    let replaced = Event::PasswordReplaced { secret_id: id(8) };
    let past = given::<User>([registered(), asked.clone()]);
    past.when(reset(1)).then([Event::EmailConfirmed, replaced.clone()]);
    let past = given::<User>([registered(), Event::EmailConfirmed, asked]);
    past.when(reset(1)).then([replaced]);
}
