//! Whose account somebody may take over, close or open.

use super::*;

const OWNER: u128 = 100;
const MANAGER: u128 = 101;
const CLERK: u128 = 102;

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
