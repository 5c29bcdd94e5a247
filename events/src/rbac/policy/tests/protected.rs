//! Protected roles, and the last administrator.

use jiff::Timestamp;

use super::*;
use crate::testing::at;
use crate::text::Fault;

const GUARD: u128 = 300;
const TOMORROW: &str = "2026-01-02T12:00:00Z";
const YESTERDAY: &str = "2025-12-31T12:00:00Z";

fn guard() -> Event {
    Event::RoleCreated(RoleCreated { protected: true, ..created(GUARD, "Guard", 10) })
}

fn grant(user: u128, number: u128) -> Command {
    let (user_id, role_id) = (id(user), role(number));
    Command::GrantProtectedRole { user_id, role_id, unit_id: None, expires_at: None }
}

fn revoke(user: u128, number: u128) -> Command {
    let (user_id, role_id) = (id(user), role(number));
    Command::RevokeProtectedRole { user_id, role_id, unit_id: None, reason: None }
}

fn revoked(user: u128, number: u128) -> Event {
    let (user_id, role_id) = (id(user), role(number));
    Event::ProtectedRoleRevoked { user_id, role_id, unit_id: None, reason: None }
}

fn holds_until(user: u128, number: u128, end: Option<Timestamp>) -> Event {
    let (user_id, role_id) = (id(user), role(number));
    Event::ProtectedRoleGranted { user_id, role_id, unit_id: None, expires_at: end }
}

fn expire(user: u128, number: u128) -> Command {
    let (user_id, role_id) = (id(user), role(number));
    Command::ExpireProtectedRole { user_id, role_id, unit_id: None }
}

fn expired(user: u128, number: u128) -> Event {
    let (user_id, role_id) = (id(user), role(number));
    Event::ProtectedRoleExpired { user_id, role_id, unit_id: None }
}

#[test]
fn grants_a_protected_role_once() {
    manager_after([guard()]).when(grant(2, GUARD)).then([holds(2, GUARD)]);
    manager_after([guard(), holds(2, GUARD)])
        .when(grant(2, GUARD))
        .refused(Rejection::ProtectedGrantExists);
}

#[test]
fn grants_again_what_has_ended_though_no_timer_came() {
    manager_after([guard(), holds_until(2, GUARD, Some(at(YESTERDAY)))])
        .when(grant(2, GUARD))
        .then([expired(2, GUARD), holds(2, GUARD)]);
}

#[test]
fn refuses_ordinary_and_unknown_roles_users_units_and_past_ends() {
    manager_after([]).when(grant(2, CLERK)).refused(Rejection::RoleNotProtected);
    manager_after([])
        .when(grant(2, GUARD))
        .refused(Rejection::RoleUnknown { role_id: role(GUARD) });
    manager_after([guard()])
        .facts(Facts { user_exists: false, ..by_manager() })
        .when(grant(2, GUARD))
        .refused(Rejection::ProtectedHolderUnknown);
    let wanted = |unit_id, expires_at| Command::GrantProtectedRole {
        user_id: id(2),
        role_id: role(GUARD),
        unit_id,
        expires_at,
    };
    manager_after([guard()])
        .when(wanted(Some(id(200)), None))
        .refused(Rejection::RoleUnitUnknown { unit_id: id(200) });
    manager_after([guard()])
        .when(wanted(None, Some(at(YESTERDAY))))
        .refused(Rejection::ProtectedExpiryPast { expires_at: at(YESTERDAY) });
}

#[test]
fn nobody_makes_an_owner_but_an_owner_and_the_installation() {
    manager_after([])
        .when(grant(1, OWNER))
        .refused(Rejection::EscalatesLevel { level: OWNER_LEVEL });
    owner_after([]).when(grant(2, OWNER)).then([holds(2, OWNER)]);
    given::<Policy>(begun())
        .facts(Facts { user_exists: true, ..Facts::default() })
        .context(installation())
        .when(grant(2, OWNER))
        .then([holds(2, OWNER)]);
}

#[test]
fn an_owner_whose_grant_has_expired_owns_nothing() {
    let past =
        begun().into_iter().chain([holds(8, OWNER), holds_until(9, OWNER, Some(at(YESTERDAY)))]);
    given::<Policy>(past)
        .facts(Facts { user_exists: true, ..Facts::default() })
        .context(owner())
        .when(grant(2, OWNER))
        .refused(Rejection::EscalatesLevel { level: OWNER_LEVEL });
}

#[test]
fn revokes_a_protected_role_with_its_reason() {
    manager_after([guard(), holds(2, GUARD)])
        .when(Command::RevokeProtectedRole {
            user_id: id(2),
            role_id: role(GUARD),
            unit_id: None,
            reason: Some(text(" left ")),
        })
        .then([Event::ProtectedRoleRevoked {
            user_id: id(2),
            role_id: role(GUARD),
            unit_id: None,
            reason: Some(text("left")),
        }]);
    manager_after([guard()])
        .when(revoke(2, GUARD))
        .refused(Rejection::ProtectedGrantUnknown { user_id: id(2) });
    manager_after([guard(), holds(2, GUARD)])
        .when(Command::RevokeProtectedRole {
            user_id: id(2),
            role_id: role(GUARD),
            unit_id: None,
            reason: Some(text("")),
        })
        .refused(Rejection::ProtectedReasonInvalid(Fault::Empty));
}

#[test]
fn nobody_revokes_a_role_above_them_except_their_own() {
    manager_after([holds(8, OWNER)])
        .when(revoke(8, OWNER))
        .refused(Rejection::EscalatesLevel { level: OWNER_LEVEL });
    owner_after([holds(8, OWNER)]).when(revoke(9, OWNER)).then([revoked(9, OWNER)]);
}

#[test]
fn the_last_administrator_stays() {
    owner_after([]).when(revoke(9, OWNER)).refused(Rejection::LastAdministrator);
    after([]).context(installation()).when(revoke(9, OWNER)).refused(Rejection::LastAdministrator);
}

#[test]
fn an_administrator_for_a_time_or_a_unit_only_is_not_enough() {
    let in_north = Event::ProtectedRoleGranted {
        user_id: id(7),
        role_id: role(OWNER),
        unit_id: Some(id(200)),
        expires_at: None,
    };
    for other in [holds_until(8, OWNER, Some(at(TOMORROW))), in_north] {
        owner_after([other]).when(revoke(9, OWNER)).refused(Rejection::LastAdministrator);
    }
}

/// User 8 administers by a role of the organisation's own; the owner has stepped back.
fn deputy_alone(reach: impl IntoIterator<Item = Event>) -> Given<Policy> {
    let deputy = RoleCreated { protected: true, ..created(GUARD, "Deputy", 999) };
    let past = [Event::RoleCreated(deputy), holds(8, GUARD)];
    let past = past.into_iter().chain(reach).chain([revoked(9, OWNER)]);
    after(past).context(installation())
}

#[test]
fn the_last_way_to_administer_stays() {
    let all = || granted(GUARD, "*:*");
    let last = || Rejection::LastAdministrator;
    deputy_alone([all()]).when(revoke(8, GUARD)).refused(last());
    deputy_alone([all()])
        .when(Command::RevokePermission { role_id: role(GUARD), permission: text("*:*") })
        .refused(last());
    deputy_alone([all()])
        .when(Command::ReplaceRolePermissions { role_id: role(GUARD), permissions: vec![] })
        .refused(last());
    let under = || {
        let under = Event::RoleCreated(created(301, "Under", 900));
        [under, granted(301, "*:*"), inherits(GUARD, 301)]
    };
    deputy_alone(under())
        .when(Command::RemoveInheritance { senior_id: role(GUARD), junior_id: role(301) })
        .refused(last());
    deputy_alone(under()).when(Command::DeleteRole { role_id: role(301) }).refused(last());
}

#[test]
fn administrators_are_known() {
    let policy = folded(ladder());
    assert_eq!(policy.administrators().collect::<Vec<_>>(), [id::<UserId>(9)]);
    assert!(policy.reaches_everything(role(OWNER)));
    assert!(!policy.reaches_everything(role(MANAGER)));
}

#[test]
fn a_timer_records_what_has_ended_once_and_not_before() {
    let workers = || {
        let actor = Actor { kind: ActorKind::Service, id: text("workers"), ..context().actor };
        Context { actor, ..context() }
    };
    let ended = || holds_until(2, GUARD, Some(at(YESTERDAY)));
    after([guard(), ended()]).context(workers()).when(expire(2, GUARD)).then([expired(2, GUARD)]);
    after([guard(), ended(), expired(2, GUARD)]).context(workers()).when(expire(2, GUARD)).then([]);
    for end in [None, Some(at(TOMORROW))] {
        after([guard(), holds_until(2, GUARD, end)])
            .context(workers())
            .when(expire(2, GUARD))
            .refused(Rejection::ProtectedGrantNotDue);
    }
}

#[test]
fn whoever_may_not_sign_in_does_not_stay_as_the_last_administrator() {
    let facts = |inactive: &[u128]| Facts {
        inactive: inactive.iter().map(|user| id(*user)).collect(),
        ..Facts::default()
    };
    let two = || owner_after([holds(8, OWNER)]);
    two().facts(facts(&[])).when(revoke(9, OWNER)).then([revoked(9, OWNER)]);
    two().facts(facts(&[8])).when(revoke(9, OWNER)).refused(Rejection::LastAdministrator);
    two().facts(facts(&[8])).when(revoke(8, OWNER)).then([revoked(8, OWNER)]);
}

#[test]
fn who_may_sign_in_matters_where_administrators_could_be_lost_alone() {
    let deputy =
        Event::RoleCreated(RoleCreated { protected: true, ..created(GUARD, "Deputy", 900) });
    let policy = folded(ladder().into_iter().chain([
        deputy,
        granted(GUARD, "exports.*:*"),
        Event::RoleCreated(created(301, "Root", 20)),
        granted(301, "*:*"),
        inherits(GUARD, 301),
        holds(8, GUARD),
    ]));
    let revoke_of =
        |number| Command::RevokePermission { role_id: role(number), permission: text("*:*") };
    assert!(policy.may_cost_an_administrator(&revoke(8, GUARD)));
    assert!(policy.may_cost_an_administrator(&revoke_of(301)));
    let unlink = Command::RemoveInheritance { senior_id: role(GUARD), junior_id: role(301) };
    assert!(policy.may_cost_an_administrator(&unlink));
    assert!(policy.may_cost_an_administrator(&Command::DeleteRole { role_id: role(301) }));
    assert!(!policy.may_cost_an_administrator(&revoke_of(CLERK)));
    assert!(!policy.may_cost_an_administrator(&grant(8, OWNER)));
}

#[test]
fn the_end_of_a_protected_role_is_announced_once_when_it_is_near() {
    let announce = || {
        let (user_id, role_id) = (id(2), role(GUARD));
        Command::AnnounceProtectedRoleEnd { user_id, role_id, unit_id: None }
    };
    let announced = || {
        let (user_id, role_id, expires_at) = (id(2), role(GUARD), at(TOMORROW));
        Event::ProtectedRoleEndAnnounced { user_id, role_id, unit_id: None, expires_at }
    };
    let held = |end: &str| [guard(), holds_until(2, GUARD, Some(at(end)))];
    manager_after(held(TOMORROW)).when(announce()).then([announced()]);
    let told = || held(TOMORROW).into_iter().chain([announced()]);
    manager_after(told()).when(announce()).then([]);
    let again = told().chain([revoked(2, GUARD), holds_until(2, GUARD, Some(at(TOMORROW)))]);
    manager_after(again).when(announce()).then([announced()]);
    manager_after(held("2026-02-01T00:00:00Z"))
        .when(announce())
        .refused(Rejection::ProtectedGrantEndsLater);
    manager_after(held(YESTERDAY)).when(announce()).then([]);
    manager_after([guard(), holds(2, GUARD)]).when(announce()).then([]);
}
