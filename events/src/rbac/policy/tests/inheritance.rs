//! Inheritance between roles.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn add(senior: u128, junior: u128) -> Command {
    Command::AddInheritance { senior_id: role(senior), junior_id: role(junior) }
}

fn remove(senior: u128, junior: u128) -> Command {
    Command::RemoveInheritance { senior_id: role(senior), junior_id: role(junior) }
}

fn removed(senior: u128, junior: u128) -> Event {
    Event::InheritanceRemoved { senior_id: role(senior), junior_id: role(junior) }
}

const HELPER: u128 = 300;

fn helper(permission: &str) -> [Event; 2] {
    [Event::RoleCreated(created(HELPER, "Helper", 20)), granted(HELPER, permission)]
}

#[test]
fn a_senior_role_inherits_from_a_junior_one() {
    manager_after(helper("exports.files:request"))
        .when(add(CLERK, HELPER))
        .then([inherits(CLERK, HELPER)]);
}

#[test]
fn an_inheritance_is_added_once() {
    manager_after([]).when(add(CLERK, READER)).refused(Rejection::InheritanceExists);
}

#[test]
fn inheritance_never_comes_back_to_where_it_began() {
    for (senior, junior) in [(CLERK, CLERK), (READER, CLERK), (READER, MANAGER)] {
        owner_after([]).when(add(senior, junior)).refused(Rejection::InheritanceCyclic);
    }
}

#[test]
fn a_senior_role_stands_higher_than_its_juniors() {
    manager_after(helper("exports.files:request"))
        .when(add(HELPER, READER))
        .refused(Rejection::RoleLevelsOutOfOrder { senior: 20, junior: 50 });
    let peer = Event::RoleCreated(created(HELPER, "Helper", 100));
    manager_after([peer])
        .when(add(HELPER, CLERK))
        .refused(Rejection::RoleLevelsOutOfOrder { senior: 100, junior: 100 });
}

#[test]
fn nobody_lets_a_role_inherit_what_they_do_not_have() {
    manager_after(helper("backups.archives:read"))
        .when(add(CLERK, HELPER))
        .refused(Rejection::EscalatesPermissions { permission: text("backups.archives:read") });
    let under = Event::RoleCreated(created(301, "Under", 10));
    let deep = helper("exports.files:request");
    let past = deep.into_iter().chain([under, granted(301, "*:read"), inherits(HELPER, 301)]);
    manager_after(past)
        .when(add(CLERK, HELPER))
        .refused(Rejection::EscalatesPermissions { permission: text("*:read") });
}

#[test]
fn removes_an_inheritance_that_is_direct() {
    manager_after([]).when(remove(CLERK, READER)).then([removed(CLERK, READER)]);
    owner_after([]).when(remove(MANAGER, READER)).refused(Rejection::InheritanceUnknown);
}

#[test]
fn roles_of_the_system_keep_what_they_inherit_from_each_other() {
    let system = RoleCreated { system: true, ..created(HELPER, "Helper", 20) };
    owner_after([Event::RoleCreated(system), inherits(OWNER, HELPER), inherits(OWNER, CLERK)])
        .when(remove(OWNER, HELPER))
        .refused(Rejection::RoleIsSystem);
    owner_after([inherits(OWNER, CLERK)]).when(remove(OWNER, CLERK)).then([removed(OWNER, CLERK)]);
}

/// Role `n` stands at level `n`; an edge goes from a higher number to a lower one.
fn graph() -> impl Strategy<Value = Vec<(u128, u128)>> {
    let edge = (1_u128..24).prop_flat_map(|senior| (Just(senior), 0..senior));
    prop::collection::vec(edge, 0..60)
}

fn of_graph(edges: &[(u128, u128)]) -> Policy {
    let roles = (0..24_u16).map(|n| Event::RoleCreated(created(n.into(), &format!("r{n}"), n)));
    let edges = edges.iter().map(|(senior, junior)| inherits(*senior, *junior));
    folded(begun().into_iter().chain(roles).chain(edges))
}

/// The transitive closure by Warshall's algorithm.
fn warshall(edges: &[(u128, u128)]) -> BTreeSet<(u128, u128)> {
    let mut reached: BTreeSet<_> = (0..24).map(|n| (n, n)).chain(edges.iter().copied()).collect();
    for via in 0..24 {
        for from in 0..24 {
            for to in 0..24 {
                if reached.contains(&(from, via)) && reached.contains(&(via, to)) {
                    reached.insert((from, to));
                }
            }
        }
    }
    reached
}

fn closure(policy: &Policy, number: u128) -> Vec<RoleId> {
    policy.closure(role(number)).into_iter().map(|(id, _)| id).collect()
}

proptest! {
    #[test]
    fn the_closure_is_the_transitive_closure(edges in graph()) {
        let (policy, expected) = (of_graph(&edges), warshall(&edges));
        for senior in 0..24 {
            let found = closure(&policy, senior);
            let unique: BTreeSet<_> = found.iter().copied().collect();
            prop_assert_eq!(found.len(), unique.len());
            let wanted = expected.iter().filter(|(from, _)| *from == senior);
            prop_assert_eq!(unique, wanted.map(|(_, to)| role(*to)).collect());
        }
    }

    #[test]
    fn another_edge_never_takes_anything_from_a_senior(edges in graph(), last in graph()) {
        let before = of_graph(&edges);
        let mut after = before.clone();
        for (senior, junior) in last {
            after.evolve(&inherits(senior, junior));
        }
        for number in 0..24 {
            let later: BTreeSet<_> = closure(&after, number).into_iter().collect();
            prop_assert!(closure(&before, number).iter().all(|id| later.contains(id)));
        }
    }

    #[test]
    fn to_remove_an_edge_restores_what_was_before_it(edges in graph(), senior in 1_u128..24) {
        let before = of_graph(&edges);
        let held: BTreeSet<_> = edges.iter().copied().collect();
        for junior in (0..senior).filter(|junior| !held.contains(&(senior, *junior))) {
            let mut after = before.clone();
            after.evolve(&inherits(senior, junior));
            after.evolve(&removed(senior, junior));
            prop_assert_eq!(&after, &before);
        }
    }

    #[test]
    fn no_command_ever_makes_a_cycle_or_a_level_out_of_order(
        edges in prop::collection::vec((0_u128..12, 0_u128..12), 0..80),
    ) {
        let mut policy = of_graph(&[]);
        policy.evolve(&holds(9, OWNER));
        for (senior, junior) in edges {
            if let Ok(events) = policy.decide(add(senior, junior), &Facts::default(), &owner()) {
                for event in &events {
                    policy.evolve(event);
                }
            }
        }
        for (id, role) in policy.roles() {
            for junior in &role.juniors {
                prop_assert!(!policy.inherits(*junior, id));
                prop_assert!(policy.role(*junior).unwrap().facts.level < role.facts.level);
            }
        }
    }
}
