//! Static separation of duty, with general role hierarchies.

use proptest::prelude::*;

use super::*;

#[test]
fn create_ssd_set() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR], 2).unwrap();
    assert!(matches!(
        system.assign(ANNA, AUDITOR), // a manager is a cashier
        Err(user_access::Rejection::AssignmentExclusive { cardinality: 2, .. })
    ));
    system.assign(BERT, AUDITOR).unwrap();
    let mut system = System::shop();
    system.assign(ANNA, AUDITOR).unwrap();
    let held = system.exclude(&[CASHIER, AUDITOR], 2).unwrap_err();
    let policy::Rejection::ExclusiveRolesHeld { users, count: 1, .. } = held else { panic!() };
    assert_eq!(users, id::<UserId>(ANNA).to_string());
}

#[test]
fn add_ssd_role_member() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR], 2).unwrap();
    system.change(policy::Command::AddExclusiveRole { set_id: set(), role_id: id(CLERK) }).unwrap();
    assert!(system.assign(BERT, AUDITOR).is_err());
}

#[test]
fn delete_ssd_role_member() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR, CLERK], 2).unwrap();
    let remove = policy::Command::RemoveExclusiveRole { set_id: set(), role_id: id(CLERK) };
    system.change(remove).unwrap();
    system.assign(BERT, AUDITOR).unwrap();
}

#[test]
fn delete_ssd_set() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR], 2).unwrap();
    system.change(policy::Command::RemoveExclusiveRoles { set_id: set() }).unwrap();
    system.assign(ANNA, AUDITOR).unwrap();
}

#[test]
fn set_ssd_set_cardinality() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR, CLERK], 3).unwrap();
    system.assign(ANNA, AUDITOR).unwrap();
    let cardinality =
        |cardinality| policy::Command::SetExclusiveCardinality { set_id: set(), cardinality };
    assert!(matches!(
        system.change(cardinality(2)),
        Err(policy::Rejection::ExclusiveRolesHeld { .. })
    ));
    system.deassign(ANNA, AUDITOR).unwrap();
    system.change(cardinality(2)).unwrap();
    assert!(system.assign(ANNA, AUDITOR).is_err());
}

#[test]
fn add_inheritance_under_static_separation_of_duty() {
    let mut system = System::shop();
    system.exclude(&[CLERK, CASHIER], 2).unwrap();
    assert!(matches!(
        system.inherit(MANAGER, CLERK),
        Err(policy::Rejection::ExclusiveRolesHeld { count: 1, .. })
    ));
    system.deassign(ANNA, MANAGER).unwrap();
    system.inherit(MANAGER, CLERK).unwrap();
    assert!(system.assign(ANNA, MANAGER).is_err(), "nobody can have a role that excludes itself");
}

#[test]
fn ssd_role_sets() {
    let mut system = System::shop();
    assert!(system.ask(|review| review.ssd_role_sets()).is_empty());
    system.exclude(&[CASHIER, AUDITOR], 2).unwrap();
    assert_eq!(system.ask(|review| review.ssd_role_sets()), [set()]);
}

#[test]
fn ssd_role_set_roles() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR], 2).unwrap();
    let found = system.ask(|review| review.ssd_role_set_roles(set()).cloned());
    assert_eq!(found, Some(roles(&[CASHIER, AUDITOR])));
}

#[test]
fn ssd_role_set_cardinality() {
    let mut system = System::shop();
    system.exclude(&[CASHIER, AUDITOR, CLERK], 3).unwrap();
    assert_eq!(system.ask(|review| review.ssd_role_set_cardinality(set())), Some(3));
    assert_eq!(system.ask(|review| review.ssd_role_set_cardinality(id(7))), None);
}

proptest! {
    #[test]
    fn nobody_ever_has_roles_that_exclude_each_other(
        steps in prop::collection::vec((0_u8..6, ANNA..=BERT, 0_u128..6, 0_u128..6), 0..60),
    ) {
        let mut system = System::begun();
        for number in 0..6_u16 {
            system.add_role(20 + u128::from(number), number).unwrap();
        }
        for (step, user, one, other) in steps {
            let (one, other) = (20 + one, 20 + other);
            // Much of it is refused, and rightly.
            let _refused = match step {
                0 | 1 => system.assign(user, one).is_err(),
                2 => system.deassign(user, one).is_err(),
                3 => system.inherit(one, other).is_err(),
                4 => system.disinherit(one, other).is_err(),
                _ if system.policy.exclusive_set(set()).is_none() => {
                    system.exclude(&[one, other], 2).is_err()
                }
                _ => system.change(policy::Command::RemoveExclusiveRoles { set_id: set() }).is_err(),
            };
            for user in [ANNA, BERT] {
                let authorized = system.ask(|review| review.authorized_roles(id(user)));
                let breached = system.policy.exclusive_set(set());
                prop_assert!(!breached.is_some_and(|set| set.is_breached_by(&authorized)));
            }
        }
    }
}
