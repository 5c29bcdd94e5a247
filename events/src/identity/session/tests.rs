//! The rules of a session, by example.

use std::sync::Arc;

use super::*;
use crate::aggregate::{Context, Decider, Rejection as _};
use crate::identity::issuer::{self, Issuer};
use crate::identity::user::{self, User};
use crate::rbac::policy::{self, Policy, RoleCreated};
use crate::rbac::user_access::{self, UserAccess};
use crate::testing::{at, context, frozen, given, id};

const TOMORROW: &str = "2026-01-02T12:00:00Z";
const LATER: &str = "2026-01-02T13:00:00Z";

/// The digest of the token handed out at a rotation.
fn token(rotation: usize) -> String {
    format!("{rotation:064x}")
}

fn start() -> Start {
    Start {
        user_id: id(1),
        refresh_sha256: token(0),
        expires_at: at(TOMORROW),
        amr: vec!["pwd".into()],
        ip: Some([192, 0, 2, 1].into()),
        user_agent: Some("curl/8.5".into()),
        exchanged: None,
    }
}

fn started() -> Event {
    Event::Started {
        user_id: id(1),
        refresh_sha256: token(0),
        expires_at: at(TOMORROW),
        amr: vec!["pwd".into()],
        ip: Some("192.0.2.1".into()),
        user_agent: Some("curl/8.5".into()),
        began_after: 0,
        issuer_id: None,
        issuer_endings: 0,
        token_sha256: None,
    }
}

fn refresh(presented: usize, next: usize) -> Refresh {
    Refresh { presented_sha256: token(presented), next_sha256: token(next), expires_at: at(LATER) }
}

fn rotated(rotation: usize) -> Event {
    Event::Refreshed {
        rotation: u32::try_from(rotation).unwrap(),
        refresh_sha256: token(rotation),
        expires_at: at(LATER),
    }
}

fn revoked(reason: RevocationReason) -> Event {
    Event::Revoked { reason }
}

fn on(time: &str) -> Context {
    Context { now: at(time), ..context() }
}

#[test]
fn samples_are_frozen() {
    frozen::<Session>([
        started(),
        rotated(3),
        Event::RefreshReuseDetected { rotation: 3 },
        revoked(RevocationReason::Reuse),
    ]);
}

#[test]
fn every_reason_of_a_revocation_keeps_its_stored_name() {
    let names = <RevocationReason as strum::VariantArray>::VARIANTS;
    assert_eq!(
        serde_json::to_string(names).unwrap(),
        r#"["logout","admin","password","reuse","deactivated","unlinked","displaced"]"#
    );
}

#[test]
fn starts_a_session_once() {
    given::<Session>([]).when(Command::Start(start())).then([started()]);
    given::<Session>([started()]).when(Command::Start(start())).refused(Rejection::Exists);
    given::<Session>([started(), revoked(RevocationReason::Logout)])
        .when(Command::Start(start()))
        .refused(Rejection::Exists);
}

#[test]
fn keeps_as_much_of_the_program_as_fits() {
    let start = Start { user_agent: Some("x\0".repeat(9_000)), ip: None, ..start() };
    let events = given::<Session>([]).when(Command::Start(start)).result().unwrap();
    let Event::Started { user_agent, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(user_agent.as_deref(), Some("x".repeat(USER_AGENT_MAX_CHARS).as_str()));
    let nameless = Start { user_agent: Some(" ".into()), ..self::start() };
    let events = given::<Session>([]).when(Command::Start(nameless)).result().unwrap();
    assert!(matches!(&events[0], Event::Started { user_agent: None, .. }));
}

#[test]
fn refuses_a_start_that_is_not_well_formed() {
    let refused = |start, rejection| {
        given::<Session>([]).when(Command::Start(start)).refused(rejection);
    };
    for digest in ["", "abc", &token(0).to_uppercase().replace('0', "A")] {
        refused(Start { refresh_sha256: digest.into(), ..start() }, Rejection::DigestInvalid);
    }
    refused(Start { amr: vec![], ..start() }, Rejection::AmrInvalid);
    refused(Start { amr: vec!["PWD".into()], ..start() }, Rejection::AmrInvalid);
    refused(
        Start { amr: vec!["pwd".into(); AMR_MAX_METHODS + 1], ..start() },
        Rejection::AmrInvalid,
    );
    for time in ["2026-01-01T12:00:00Z", "2026-04-01T12:00:01Z"] {
        refused(Start { expires_at: at(time), ..start() }, Rejection::ExpiryInvalid);
    }
    let longest = Start { expires_at: at("2026-04-01T12:00:00Z"), ..start() };
    assert!(given::<Session>([]).when(Command::Start(longest)).result().is_ok());
}

#[test]
fn exchanges_each_token_for_the_next() {
    given::<Session>([started()]).when(Command::Refresh(refresh(0, 1))).then([rotated(1)]);
    given::<Session>([started(), rotated(1)])
        .when(Command::Refresh(refresh(1, 2)))
        .then([rotated(2)]);
    assert!(refreshed(&[rotated(1)]));
}

#[test]
fn revokes_the_session_when_a_token_is_presented_twice() {
    for old in [0, 1] {
        let reuse = [Event::RefreshReuseDetected { rotation: 2 }, revoked(RevocationReason::Reuse)];
        given::<Session>([started(), rotated(1), rotated(2)])
            .when(Command::Refresh(refresh(old, 9)))
            .then(reuse.clone());
        assert!(!refreshed(&reuse));
        given::<Session>([started(), rotated(1), rotated(2)].into_iter().chain(reuse))
            .when(Command::Refresh(refresh(2, 9)))
            .refused(Rejection::Revoked);
    }
}

#[test]
fn leaves_the_session_open_when_the_token_was_never_its_own() {
    given::<Session>([started()])
        .when(Command::Refresh(refresh(7, 8)))
        .refused(Rejection::TokenUnknown);
}

#[test]
fn recognises_as_many_old_tokens_as_it_keeps() {
    let mut session = Session::default();
    session.evolve(&started());
    for rotation in 1..=SPENT_MAX_TOKENS + 1 {
        session.evolve(&rotated(rotation));
    }
    let refresh =
        |old| session.decide(Command::Refresh(refresh(old, 9_999)), &Facts::default(), &context());
    assert_eq!(refresh(0), Err(Rejection::TokenUnknown));
    assert!(!refreshed(&refresh(1).unwrap()));
    assert!(refreshed(&refresh(SPENT_MAX_TOKENS + 1).unwrap()));
}

#[test]
fn refuses_a_next_token_that_was_used_before() {
    for used in [0, 1] {
        given::<Session>([started(), rotated(1)])
            .when(Command::Refresh(refresh(1, used)))
            .refused(Rejection::TokenRepeated);
    }
}

#[test]
fn refuses_a_refresh_that_is_not_well_formed() {
    let refused = |refresh, rejection| {
        given::<Session>([started()]).when(Command::Refresh(refresh)).refused(rejection);
    };
    refused(Refresh { presented_sha256: "x".into(), ..refresh(0, 1) }, Rejection::DigestInvalid);
    refused(Refresh { next_sha256: "x".into(), ..refresh(0, 1) }, Rejection::DigestInvalid);
    refused(Refresh { expires_at: context().now, ..refresh(0, 1) }, Rejection::ExpiryInvalid);
}

#[test]
fn ends_when_its_time_is_over() {
    let late = Refresh { expires_at: at("2026-01-03T12:00:00Z"), ..refresh(0, 1) };
    given::<Session>([started()])
        .context(on(TOMORROW))
        .when(Command::Refresh(late.clone()))
        .refused(Rejection::Expired);
    let just_before = given::<Session>([started()])
        .context(on("2026-01-02T11:59:59.999999Z"))
        .when(Command::Refresh(late));
    assert!(just_before.result().is_ok());
}

#[test]
fn refuses_to_refresh_or_revoke_what_does_not_exist() {
    given::<Session>([]).when(Command::Refresh(refresh(0, 1))).refused(Rejection::Unknown);
    let revoke = Command::Revoke(Revoke { reason: RevocationReason::Logout });
    given::<Session>([]).when(revoke).refused(Rejection::Unknown);
}

#[test]
fn revokes_once() {
    let revoke = |reason| Command::Revoke(Revoke { reason });
    let admin = RevocationReason::Admin;
    let mut other = context();
    other.actor.id = id::<crate::ids::UserId>(2).to_string();
    given::<Session>([started()]).context(other).when(revoke(admin)).then([revoked(admin)]);
    let logout = RevocationReason::Logout;
    given::<Session>([started()]).when(revoke(admin)).then([revoked(logout)]); // one's own
    given::<Session>([started(), revoked(admin)]).when(revoke(RevocationReason::Logout)).then([]);
    given::<Session>([started(), revoked(admin)])
        .when(Command::Refresh(refresh(0, 1)))
        .refused(Rejection::Revoked);
}

#[test]
fn is_alive_while_open_and_unexpired() {
    let mut session = Session::default();
    assert_eq!(session.alive(context().now), Err(Rejection::Unknown));
    session.evolve(&started());
    assert_eq!(session.alive(context().now), Ok(()));
    assert_eq!(session.alive(at(TOMORROW)), Err(Rejection::Expired));
    session.evolve(&revoked(RevocationReason::Password));
    assert_eq!(session.alive(context().now), Err(Rejection::Revoked));
    assert_eq!(Rejection::Revoked.code(), "SESSION_REVOKED");
}

#[test]
fn goes_on_only_while_the_user_keeps_it() {
    let ended = |except| user::Event::SessionsEnded { reason: RevocationReason::Logout, except };
    let after = |event: Option<user::Event>| {
        let mut user = User::default();
        if let Some(event) = event {
            user.evolve(&event);
        }
        Facts { session_id: id(5), user: Arc::new(user), ..Facts::default() }
    };
    let begun = given::<Session>([]).facts(after(Some(ended(None))));
    let begun = begun.when(Command::Start(start())).result().unwrap();
    assert!(matches!(&begun[0], Event::Started { began_after: 1, .. }));
    let refresh = || {
        Command::Refresh(Refresh {
            presented_sha256: token(0),
            next_sha256: token(1),
            expires_at: at(LATER),
        })
    };
    for (facts, goes_on) in [
        (after(None), true),
        (after(Some(ended(None))), false),
        (after(Some(ended(Some(id(5))))), true),
        (after(Some(ended(Some(id(6))))), false),
    ] {
        let result = given::<Session>([started()]).facts(facts).when(refresh()).result();
        assert_eq!(result.is_ok(), goes_on, "{result:?}");
    }
}

#[test]
fn is_ended_by_nobody_who_could_not_take_over_the_account() {
    let user_id = id(1);
    let mut policy = Policy::default();
    policy.evolve(&policy::Event::RoleCreated(RoleCreated {
        role_id: id(90),
        name: "Chief".into(),
        code: "chief".into(),
        description: None,
        level: 10,
        unit_id: None,
        system: false,
        protected: false,
    }));
    let mut chief = UserAccess::default();
    chief.evolve(&user_access::Event::RoleAssigned {
        role_id: id(90),
        unit_id: None,
        expires_at: None,
    });
    let (policy, access) = (Arc::new(policy), Arc::new(chief));
    let reach = user::Facts { user_id, policy, access, ..user::Facts::default() };
    let facts = Facts { reach, ..Facts::default() };
    let revoke = || Command::Revoke(Revoke { reason: RevocationReason::Admin });
    let mut other = context();
    other.actor.id = id::<crate::ids::UserId>(2).to_string();
    given::<Session>([started()])
        .facts(facts.clone())
        .context(other)
        .when(revoke())
        .refused(Rejection::OutOfReach);
    given::<Session>([started()])
        .facts(facts)
        .when(revoke())
        .then([revoked(RevocationReason::Logout)]);
}

fn exchanged() -> Start {
    let exchanged = Exchanged { issuer_id: id(9), token_sha256: token(7) };
    Start { amr: vec!["oidc".into()], exchanged: Some(exchanged), ..start() }
}

/// An issuer after these events.
fn after(events: &[issuer::Event]) -> Facts {
    let mut issuer = Issuer::default();
    for event in events {
        issuer.evolve(event);
    }
    Facts { issuer: Arc::new(issuer), ..Facts::default() }
}

#[test]
fn an_exchanged_session_rests_on_its_issuer_and_takes_the_token_for_good() {
    let facts = after(&[issuer::tests::trusted()]);
    let begun = given::<Session>([]).facts(facts).when(Command::Start(exchanged()));
    let begun = begun.result().unwrap();
    let Event::Started { issuer_id, token_sha256, .. } = &begun[0] else { panic!("{begun:?}") };
    assert_eq!((issuer_id, token_sha256), (&Some(id(9)), &Some(token(7))));
    let taken = crate::aggregate::Event::claims(&begun[0], "s");
    assert_eq!(taken, [crate::aggregate::Claim::take(EXCHANGED, token(7))]);
}

#[test]
fn no_session_begins_by_an_issuer_that_is_not_trusted() {
    let suspended = issuer::Event::Suspended { reason: "breached".into() };
    for facts in [Facts::default(), after(&[issuer::tests::trusted(), suspended])] {
        let start = Command::Start(exchanged());
        given::<Session>([]).facts(facts).when(start).refused(Rejection::IssuerNotTrusted);
    }
    let exchanged = Exchanged { issuer_id: id(9), token_sha256: "x".into() };
    let start = Command::Start(Start { exchanged: Some(exchanged), ..start() });
    given::<Session>([]).when(start).refused(Rejection::DigestInvalid);
}

#[test]
fn an_exchanged_session_ends_with_the_trust_in_its_issuer_and_stays_ended() {
    let suspended = || issuer::Event::Suspended { reason: "breached".into() };
    let mut past = vec![issuer::tests::trusted()];
    let begun = given::<Session>([]).facts(after(&past)).when(Command::Start(exchanged()));
    let begun = begun.result().unwrap();
    let refresh = |past: &[issuer::Event]| {
        let goes_on = given::<Session>(begun.clone()).facts(after(past));
        goes_on.when(Command::Refresh(refresh(0, 1))).result()
    };
    assert!(refresh(&past).is_ok());
    for event in [suspended(), issuer::Event::Reactivated] {
        past.push(event);
        assert_eq!(refresh(&past), Err(Rejection::Revoked), "{past:?}");
    }
}

#[test]
fn ends_when_nobody_used_it_for_as_long_as_the_organisation_says() {
    let facts = |hours| Facts { session_id: id(9), idle_hours: Some(hours), ..Facts::default() };
    let ended = |events: Vec<Event>| match events.as_slice() {
        [Event::Started { expires_at, .. } | Event::Refreshed { expires_at, .. }] => *expires_at,
        other => panic!("{other:?}"),
    };
    let begin = |hours| {
        let begun = given::<Session>([]).facts(facts(hours)).when(Command::Start(start()));
        ended(begun.result().unwrap())
    };
    assert_eq!(begin(1), at("2026-01-01T13:00:00Z"));
    assert_eq!(begin(48), at(TOMORROW), "never later than the token lives");
    let again = |hours, now| {
        given::<Session>([started()])
            .facts(facts(hours))
            .context(on(now))
            .when(Command::Refresh(refresh(0, 1)))
    };
    let used = again(2, "2026-01-01T12:59:00Z").result().unwrap();
    assert_eq!(ended(used), at("2026-01-01T14:59:00Z"), "from its last use on");
    again(2, TOMORROW).refused(Rejection::Expired);
}
