//! The rules of an invitation, by example.

use std::sync::Arc;

use super::*;
use crate::aggregate::{
    Actor, ActorKind, Claim, Class, Context, Decider, Event as _, Rejection as _,
};
use crate::identity::organization::{self, Organization, UnitKind};
use crate::rbac::Assignment;
use crate::rbac::policy::{self, OWNER_LEVEL, Policy, RoleCreated};
use crate::rbac::user_access::{self, Rejection as Refused, UserAccess};
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;

const OWNER: u128 = 100;
const MANAGER: u128 = 101;
const CLERK: u128 = 102;
const BOSS: u128 = 103;

const ADDRESS: &str = "ada@example.org";
const IN_A_WEEK: &str = "2026-01-08T12:00:00Z";

/// The digest of the token of a sending.
fn token(sending: u128) -> String {
    format!("{sending:064x}")
}

fn made(number: u128, level: u16) -> policy::Event {
    policy::Event::RoleCreated(RoleCreated {
        role_id: id(number),
        name: format!("role {number}"),
        code: format!("role-{number}"),
        description: None,
        level,
        unit_id: None,
        system: number == OWNER,
        protected: number == OWNER,
    })
}

fn grants(number: u128, permission: &str) -> policy::Event {
    policy::Event::PermissionGranted { role_id: id(number), permission: permission.to_owned() }
}

/// An owner over a boss, over a manager who invites and assigns, over a clerk.
fn policy() -> Policy {
    let mut policy = Policy::default();
    let events = [
        policy::Event::Initialized { owner_role_id: id(OWNER) },
        made(OWNER, OWNER_LEVEL),
        grants(OWNER, "*:*"),
        made(BOSS, 900),
        made(MANAGER, 500),
        grants(MANAGER, "identity.invitations:manage"),
        grants(MANAGER, "rbac.assignments:assign"),
        grants(MANAGER, "exports.files:request"),
        made(CLERK, 100),
        grants(CLERK, "exports.files:request"),
    ];
    for event in &events {
        policy.evolve(event);
    }
    policy
}

fn organization() -> Organization {
    let mut organization = Organization::default();
    organization.evolve(&organization::Event::UnitAdded {
        unit_id: id(200),
        kind: UnitKind::Branch,
        code: "north".into(),
        name: "North".into(),
        parent_id: None,
        time_zone: None,
    });
    organization
}

/// The sender holds this role, and the next token is that of the second sending.
fn by(role: u128) -> Facts {
    let mut access = UserAccess::default();
    access.evolve(&user_access::Event::RoleAssigned {
        role_id: id(role),
        unit_id: None,
        expires_at: None,
    });
    Facts {
        policy: Arc::new(policy()),
        organization: Arc::new(organization()),
        sender_access: Arc::new(access),
        sender_is_active: true,
        next_sha256: token(2),
    }
}

fn role(number: u128) -> Assignment {
    Assignment { role_id: id(number), unit_id: None, expires_at: None }
}

fn issue(roles: Vec<Assignment>) -> Issue {
    Issue { email: ADDRESS.into(), roles, message: None }
}

fn issued(roles: Vec<Assignment>, sending: u128) -> Event {
    Event::Issued {
        email: ADDRESS.into(),
        roles,
        message: None,
        invited_by: id(1),
        token_sha256: token(sending),
        expires_at: at(IN_A_WEEK),
    }
}

fn resent(sending: u128) -> Event {
    let (invited_by, token_sha256, expires_at) = (id(1), token(sending), at(IN_A_WEEK));
    Event::Resent { invited_by, token_sha256, expires_at, email: None }
}

fn expired() -> Event {
    Event::Expired { email: ADDRESS.into() }
}

fn accepted() -> Event {
    Event::Accepted { user_id: id(8), email: ADDRESS.into() }
}

fn revoked() -> Event {
    Event::Revoked { email: ADDRESS.into() }
}

fn erased() -> Event {
    Event::Erased { email: ADDRESS.into() }
}

fn accept(sending: u128) -> Command {
    Command::Accept(Accept { presented_sha256: token(sending), user_id: id(8) })
}

/// The invitee is nobody yet: the installation acts for whoever invited them.
fn as_invitee(time: &str) -> Context {
    let actor = Actor {
        kind: ActorKind::System,
        id: "invitation".into(),
        session_id: None,
        on_behalf_of: Some(id(1)),
        api_key_id: None,
    };
    Context { actor, now: at(time), ..context() }
}

const SOON: &str = "2026-01-02T12:00:00Z";

#[test]
fn samples_are_frozen() {
    let in_north = Assignment {
        role_id: id(CLERK),
        unit_id: Some(id(200)),
        expires_at: Some(at("2027-01-01T00:00:00Z")),
    };
    let issued = Event::Issued {
        email: ADDRESS.into(),
        roles: vec![in_north, role(CLERK)],
        message: Some("Welcome!".into()),
        invited_by: id(1),
        token_sha256: token(1),
        expires_at: at(IN_A_WEEK),
    };
    let ends = [accepted(), revoked(), expired(), erased()];
    frozen::<Invitation>([issued, resent(2)].into_iter().chain(ends));
}

#[test]
fn invites_somebody_for_a_week() {
    given::<Invitation>([])
        .facts(by(MANAGER))
        .when(Command::Issue(issue(vec![role(CLERK)])))
        .then([issued(vec![role(CLERK)], 2)]);
    for past in [vec![issued(vec![], 1)], vec![issued(vec![], 1), revoked()]] {
        given::<Invitation>(past)
            .facts(by(MANAGER))
            .when(Command::Issue(issue(vec![])))
            .refused(Rejection::Exists);
    }
}

#[test]
fn an_address_has_one_open_invitation_whatever_its_case() {
    let taken = |event: &Event| event.claims("x");
    let upper = Event::Revoked { email: ADDRESS.to_uppercase() };
    assert_eq!(taken(&issued(vec![], 1)), [Claim::take(EMAIL, ADDRESS)]);
    assert_eq!(taken(&resent(2)), []);
    for event in [accepted(), revoked(), erased(), upper, expired()] {
        assert_eq!(taken(&event), [Claim::release(EMAIL, ADDRESS)]);
    }
}

#[test]
fn an_invitee_is_forgotten_unless_they_became_a_user() {
    let (open, revoked) = (vec![issued(vec![], 1)], vec![issued(vec![], 1), revoked()]);
    for past in [open, revoked] {
        given::<Invitation>(past).when(Command::Erase).then([erased()]);
    }
    let of_user = || [issued(vec![], 1), accepted()];
    given::<Invitation>(of_user()).when(Command::Erase).refused(Rejection::OfUser);
    let actor = Actor { kind: ActorKind::Service, id: "workers".into(), ..context().actor };
    let as_workers = Context { actor, ..context() };
    given::<Invitation>(of_user()).context(as_workers).when(Command::Erase).then([erased()]);
    let past = || [issued(vec![], 1), erased()];
    given::<Invitation>(past()).when(Command::Erase).then([]);
    given::<Invitation>(past()).when(Command::Revoke).then([]);
    given::<Invitation>(past()).facts(by(MANAGER)).when(Command::Resend).refused(Rejection::Erased);
    given::<Invitation>([]).when(Command::Erase).refused(Rejection::Unknown);
}

#[test]
fn refuses_an_invitation_that_is_not_well_formed() {
    let refused = |issue, rejection| {
        given::<Invitation>([]).facts(by(MANAGER)).when(Command::Issue(issue)).refused(rejection);
    };
    refused(Issue { email: "ada".into(), ..issue(vec![]) }, Rejection::EmailInvalid);
    let message = Some("x".repeat(MESSAGE_MAX_CHARS + 1));
    let too_long = Rejection::MessageInvalid(Fault::TooLong(MESSAGE_MAX_CHARS));
    refused(Issue { message, ..issue(vec![]) }, too_long);
    refused(issue(vec![role(CLERK), role(CLERK)]), Rejection::RoleRepeated);
    refused(issue(vec![role(CLERK); ROLES_MAX_COUNT + 1]), Rejection::TooManyRoles);
}

#[test]
fn the_same_role_may_count_in_two_places() {
    let in_north = Assignment { unit_id: Some(id(200)), ..role(CLERK) };
    let roles = vec![role(CLERK), in_north];
    given::<Invitation>([])
        .facts(by(MANAGER))
        .when(Command::Issue(issue(roles.clone())))
        .then([issued(roles, 2)]);
}

#[test]
fn promises_only_what_the_sender_may_give() {
    let refused = |role: Assignment, rejection: Refused| {
        let rejection = Rejection::Role(rejection);
        for (past, command) in [
            (vec![], Command::Issue(issue(vec![role]))),
            (vec![issued(vec![role], 1)], Command::Resend),
        ] {
            given::<Invitation>(past).facts(by(MANAGER)).when(command).refused(rejection.clone());
        }
    };
    refused(role(BOSS), Refused::AssignmentExceedsLevel { level: 900 });
    refused(role(OWNER), Refused::AssignmentRoleProtected { role_id: id(OWNER) });
    refused(role(999), Refused::AssignmentRoleUnknown { role_id: id(999) });
    let nowhere = Assignment { unit_id: Some(id(999)), ..role(CLERK) };
    refused(nowhere, Refused::AssignmentUnitUnknown { unit_id: id(999) });
    let expires_at = context().now;
    let over = Assignment { expires_at: Some(expires_at), ..role(CLERK) };
    refused(over, Refused::AssignmentExpiryPast { expires_at });
}

#[test]
fn is_accepted_once() {
    let past = [issued(vec![role(CLERK)], 1)];
    given::<Invitation>(past.clone())
        .facts(by(MANAGER))
        .context(as_invitee(SOON))
        .when(accept(1))
        .then([accepted()]);
    given::<Invitation>(past.into_iter().chain([accepted()]))
        .facts(by(MANAGER))
        .context(as_invitee(SOON))
        .when(accept(1))
        .refused(Rejection::Accepted);
}

#[test]
fn is_accepted_with_its_last_token_only() {
    let past = [issued(vec![], 1), resent(2)];
    let accepts = |sending| {
        given::<Invitation>(past.clone())
            .facts(by(MANAGER))
            .context(as_invitee(SOON))
            .when(accept(sending))
    };
    accepts(2).then([accepted()]);
    accepts(1).refused(Rejection::TokenUnknown);
    accepts(3).refused(Rejection::TokenUnknown);
    given::<Invitation>([]).when(accept(1)).refused(Rejection::TokenUnknown);
    let no_digest = Command::Accept(Accept { presented_sha256: String::new(), user_id: id(8) });
    given::<Invitation>([]).when(no_digest).refused(Rejection::TokenUnknown);
}

#[test]
fn is_not_accepted_once_it_has_expired_until_it_is_sent_again() {
    let past = [issued(vec![], 1)];
    let accepts = |time| {
        given::<Invitation>(past.clone())
            .facts(by(MANAGER))
            .context(as_invitee(time))
            .when(accept(1))
    };
    accepts("2026-01-08T11:59:59.999999Z").then([accepted()]);
    accepts(IN_A_WEEK).refused(Rejection::Expired);
    let later = Context { now: at("2026-03-01T12:00:00Z"), ..context() };
    let expires_at = at("2026-03-08T12:00:00Z");
    given::<Invitation>(past).facts(by(MANAGER)).context(later).when(Command::Resend).then([
        Event::Resent { invited_by: id(1), token_sha256: token(2), expires_at, email: None },
    ]);
}

#[test]
fn is_not_accepted_when_its_sender_could_no_longer_send_it() {
    let refused = |facts| {
        given::<Invitation>([issued(vec![role(CLERK)], 1)])
            .facts(facts)
            .context(as_invitee(SOON))
            .when(accept(1))
            .refused(Rejection::Unbacked);
    };
    refused(Facts { sender_is_active: false, ..by(MANAGER) });
    refused(by(CLERK));
    refused(by(BOSS)); // stands above the clerk, and may neither invite nor assign
    let mut emptied = policy();
    emptied.evolve(&policy::Event::RoleDeleted { role_id: id(CLERK) });
    refused(Facts { policy: Arc::new(emptied), ..by(MANAGER) });
}

#[test]
fn is_revoked_once_and_then_neither_sent_nor_accepted() {
    let past = [issued(vec![], 1)];
    given::<Invitation>(past.clone()).when(Command::Revoke).then([revoked()]);
    let gone = || past.clone().into_iter().chain([revoked()]);
    given::<Invitation>(gone()).when(Command::Revoke).then([]);
    given::<Invitation>(gone())
        .facts(by(MANAGER))
        .when(Command::Resend)
        .refused(Rejection::Revoked);
    given::<Invitation>(gone()).facts(by(MANAGER)).when(accept(1)).refused(Rejection::Revoked);
    let accepted = || past.clone().into_iter().chain([accepted()]);
    given::<Invitation>(accepted()).when(Command::Revoke).refused(Rejection::Accepted);
    given::<Invitation>(accepted()).when(Command::Resend).refused(Rejection::Accepted);
    given::<Invitation>([]).when(Command::Revoke).refused(Rejection::Unknown);
    given::<Invitation>([]).when(Command::Resend).refused(Rejection::Unknown);
}

#[test]
fn somebody_answers_for_every_invitation() {
    given::<Invitation>([])
        .context(as_invitee(SOON))
        .when(Command::Issue(issue(vec![])))
        .refused(Rejection::SenderMissing);
}

#[test]
fn a_role_that_is_refused_is_refused_as_in_an_assignment() {
    let inner = Refused::AssignmentExceedsLevel { level: 900 };
    let rejection = Rejection::from(inner.clone());
    assert_eq!((rejection.code(), rejection.class()), (inner.code(), Class::Forbidden));
    assert_eq!(rejection.to_string(), inner.to_string());
    assert_eq!(rejection.pointer(), Some("/roles"));
    assert_eq!(Rejection::TokenUnknown.code(), "INVITATION_TOKEN_UNKNOWN");
}

#[test]
fn a_timer_records_that_it_expired_once_and_not_before_and_frees_the_address() {
    let expires = |past: Vec<Event>, time: &str| {
        let context = Context { now: at(time), ..context() };
        given::<Invitation>(past).context(context).when(Command::Expire)
    };
    expires(vec![issued(vec![], 1)], SOON).refused(Rejection::NotDue);
    expires(vec![issued(vec![], 1)], IN_A_WEEK).then([expired()]);
    for over in [expired(), accepted(), revoked()] {
        expires(vec![issued(vec![], 1), over], IN_A_WEEK).then([]);
    }
    expires(vec![], IN_A_WEEK).refused(Rejection::Unknown);
}

#[test]
fn what_is_recorded_as_expired_is_not_accepted_but_sent_again_or_revoked() {
    let past = || vec![issued(vec![], 1), expired()];
    given::<Invitation>(past())
        .facts(by(MANAGER))
        .context(as_invitee(IN_A_WEEK))
        .when(accept(1))
        .refused(Rejection::Expired);
    let again = Event::Resent {
        invited_by: id(1),
        token_sha256: token(2),
        expires_at: at(IN_A_WEEK),
        email: Some(ADDRESS.into()),
    };
    assert_eq!(again.claims("x"), [Claim::take(EMAIL, ADDRESS)]);
    given::<Invitation>(past()).facts(by(MANAGER)).when(Command::Resend).then([again.clone()]);
    given::<Invitation>(past()).when(Command::Revoke).then([revoked()]);
    given::<Invitation>(past().into_iter().chain([again]))
        .facts(by(MANAGER))
        .context(as_invitee(SOON))
        .when(accept(2))
        .then([accepted()]);
}
