//! Roles that exclude each other.

use super::*;
use crate::rbac::policy::{DefineExclusiveRoles, Touched};
use crate::testing::at;
use crate::text::Fault;

const AUDITOR: u128 = 301;
const SENIOR: u128 = 302;

/// An auditor beside the ladder, and a senior of nobody yet.
fn auditor() -> [Event; 2] {
    [
        Event::RoleCreated(created(AUDITOR, "Auditor", 100)),
        Event::RoleCreated(created(SENIOR, "Senior", 200)),
    ]
}

fn define(roles: &[u128], cardinality: u16) -> Command {
    Command::DefineExclusiveRoles(DefineExclusiveRoles {
        set_id: id(500),
        name: text(" Books and audit "),
        roles: roles.iter().map(|number| role(*number)).collect(),
        cardinality,
    })
}

fn defined(roles: &[u128], cardinality: u16) -> Event {
    Event::ExclusiveRolesDefined {
        set_id: id(500),
        name: text("Books and audit"),
        roles: roles.iter().map(|number| role(*number)).collect(),
        cardinality,
    }
}

fn holder(user: u128, roles: &[u128]) -> (UserId, Arc<UserAccess>) {
    let mut access = UserAccess::default();
    for number in roles {
        access.evolve(&user_access::Event::RoleAssigned {
            role_id: role(*number),
            unit_id: None,
            expires_at: None,
        });
    }
    (id(user), Arc::new(access))
}

fn with(holders: Vec<(UserId, Arc<UserAccess>)>) -> Facts {
    Facts { holders, user_exists: true, ..Facts::default() }
}

fn held_by(users: &[u128]) -> Rejection {
    let named: Vec<String> = users.iter().map(|user| id::<UserId>(*user).to_string()).collect();
    let set = text("Books and audit");
    Rejection::ExclusiveRolesHeld { set, count: users.len(), users: named.join(", ") }
}

#[test]
fn defines_roles_that_exclude_each_other_and_names_who_has_them() {
    let facts = with(vec![holder(2, &[CLERK]), holder(3, &[AUDITOR])]);
    owner_after(auditor())
        .facts(facts)
        .when(define(&[AUDITOR, CLERK, CLERK], 2))
        .then([defined(&[CLERK, AUDITOR], 2)]);
    let facts = with(vec![
        holder(2, &[CLERK, AUDITOR]),
        holder(3, &[AUDITOR]),
        holder(4, &[AUDITOR, MANAGER]), // a manager is a clerk
    ]);
    owner_after(auditor())
        .facts(facts)
        .when(define(&[CLERK, AUDITOR], 2))
        .refused(held_by(&[2, 4]));
}

#[test]
fn what_has_expired_and_what_is_gone_excludes_nothing() {
    let mut access = UserAccess::default();
    for (number, end) in [(CLERK, None), (AUDITOR, Some(at("2025-12-31T12:00:00Z")))] {
        let (role_id, expires_at) = (role(number), end);
        access.evolve(&user_access::Event::RoleAssigned { role_id, unit_id: None, expires_at });
    }
    owner_after(auditor())
        .facts(with(vec![(id(2), Arc::new(access))]))
        .when(define(&[CLERK, AUDITOR], 2))
        .then([defined(&[CLERK, AUDITOR], 2)]);
    let policy = folded(ladder().into_iter().chain(auditor()).chain([
        defined(&[CLERK, READER, AUDITOR], 2),
        Event::RoleDeleted { role_id: role(READER) },
    ]));
    let set = policy.exclusive_set(id(500)).unwrap();
    assert_eq!(set.roles, [role(CLERK), role(AUDITOR)].into());
}

#[test]
fn protected_roles_count_as_well() {
    let guard = Event::RoleCreated(RoleCreated { protected: true, ..created(300, "Guard", 10) });
    let past = || auditor().into_iter().chain([guard.clone(), holds(2, 300)]);
    owner_after(past())
        .facts(with(vec![holder(2, &[CLERK])]))
        .when(define(&[CLERK, 300], 2))
        .refused(held_by(&[2]));
    let granting = Command::GrantProtectedRole {
        user_id: id(3),
        role_id: role(300),
        unit_id: None,
        expires_at: None,
    };
    owner_after(past().chain([defined(&[CLERK, 300], 2)]))
        .facts(with(vec![holder(3, &[CLERK])]))
        .when(granting)
        .refused(held_by(&[3]));
}

#[test]
fn inheritance_brings_nobody_roles_that_exclude_each_other() {
    let past =
        || auditor().into_iter().chain([defined(&[CLERK, AUDITOR], 2), inherits(SENIOR, CLERK)]);
    let add = Command::AddInheritance { senior_id: role(SENIOR), junior_id: role(AUDITOR) };
    let senior = holder(2, &[SENIOR]);
    owner_after(past()).facts(with(vec![senior])).when(add.clone()).refused(held_by(&[2]));
    owner_after(past())
        .facts(with(vec![holder(2, &[MANAGER])]))
        .when(add)
        .then([inherits(SENIOR, AUDITOR)]);
}

#[test]
fn a_set_gains_and_loses_roles_and_is_tightened_and_relaxed() {
    let set_id = id(500);
    let past = || auditor().into_iter().chain([defined(&[CLERK, AUDITOR, SENIOR], 3)]);
    let after = |events: Vec<Event>| {
        owner_after(past().chain(events)).facts(with(vec![holder(2, &[CLERK, AUDITOR])]))
    };
    let (add, remove) = (
        |number| Command::AddExclusiveRole { set_id, role_id: role(number) },
        |number| Command::RemoveExclusiveRole { set_id, role_id: role(number) },
    );
    let cardinality = |cardinality| Command::SetExclusiveCardinality { set_id, cardinality };
    after(vec![]).when(add(READER)).refused(held_by(&[2])); // a clerk is a reader
    after(vec![]).when(add(CLERK)).refused(Rejection::ExclusiveRoleExists);
    after(vec![]).when(remove(READER)).refused(Rejection::ExclusiveRoleAbsent);
    after(vec![]).when(remove(SENIOR)).refused(Rejection::ExclusiveCardinalityInvalid { roles: 2 });
    after(vec![]).when(cardinality(2)).refused(held_by(&[2]));
    after(vec![]).when(cardinality(3)).then([]);
    after(vec![]).when(cardinality(4)).refused(Rejection::ExclusiveCardinalityInvalid { roles: 3 });
    let tight = Event::ExclusiveRolesTightened { set_id, cardinality: 2 };
    owner_after(past()).when(cardinality(2)).then([tight.clone()]);
    owner_after(past().chain([tight.clone()]))
        .when(cardinality(3))
        .then([Event::ExclusiveRolesRelaxed { set_id, cardinality: 3 }]);
    owner_after(past().chain([tight]))
        .when(remove(SENIOR))
        .then([Event::ExclusiveRoleRemoved { set_id, role_id: role(SENIOR) }]);
    after(vec![])
        .when(Command::RemoveExclusiveRoles { set_id })
        .then([Event::ExclusiveRolesRemoved { set_id }]);
    after(vec![Event::ExclusiveRolesRemoved { set_id }])
        .when(cardinality(2))
        .refused(Rejection::ExclusiveSetUnknown { set_id });
}

#[test]
fn a_set_is_well_formed() {
    let refused = |command, rejection| owner_after(auditor()).when(command).refused(rejection);
    refused(define(&[CLERK], 2), Rejection::ExclusiveRolesInvalid);
    refused(define(&[CLERK, AUDITOR], 1), Rejection::ExclusiveCardinalityInvalid { roles: 2 });
    refused(define(&[CLERK, AUDITOR], 3), Rejection::ExclusiveCardinalityInvalid { roles: 2 });
    refused(define(&[CLERK, 7], 2), Rejection::RoleUnknown { role_id: role(7) });
    let nameless = DefineExclusiveRoles {
        set_id: id(500),
        name: text(" "),
        roles: vec![role(CLERK), role(AUDITOR)],
        cardinality: 2,
    };
    let empty = Rejection::ExclusiveSetNameInvalid(Fault::Empty);
    refused(Command::DefineExclusiveRoles(nameless), empty);
    let again = owner_after(auditor().into_iter().chain([defined(&[CLERK, AUDITOR], 2)]));
    again
        .when(define(&[CLERK, AUDITOR], 2))
        .refused(Rejection::ExclusiveSetIdTaken { set_id: id(500) });
}

#[test]
fn whoever_keeps_roles_apart_or_lets_them_together_stands_above_them() {
    let defined = defined(&[CLERK, MANAGER], 2);
    manager_after(auditor())
        .when(define(&[CLERK, MANAGER], 2))
        .refused(Rejection::EscalatesLevel { level: 500 });
    manager_after(auditor().into_iter().chain([defined]))
        .when(Command::RemoveExclusiveRoles { set_id: id(500) })
        .refused(Rejection::EscalatesLevel { level: 500 });
}

#[test]
fn everybodys_roles_are_needed_only_where_roles_could_come_together() {
    let without = folded(ladder());
    let with = folded(ladder().into_iter().chain(auditor()).chain([defined(&[CLERK, AUDITOR], 2)]));
    let add = Command::AddInheritance { senior_id: role(MANAGER), junior_id: role(READER) };
    assert_eq!(without.touched_by(&add), Touched::Nobody);
    assert_eq!(with.touched_by(&add), Touched::Everybody);
    assert_eq!(without.touched_by(&define(&[CLERK, AUDITOR], 2)), Touched::Everybody);
    assert_eq!(with.touched_by(&Command::DeleteRole { role_id: role(CLERK) }), Touched::Nobody);
}
