//! The project hierarchy of Sandhu, Coyne, Feinstein and Youman, "Role-based access control models" (1996), figure 2.

use super::*;

const ROLES: [(&str, u16); 10] = [
    ("E", 0),
    ("ED", 1),
    ("E1", 2),
    ("PE1", 3),
    ("QE1", 3),
    ("PL1", 4),
    ("E2", 2),
    ("PE2", 3),
    ("QE2", 3),
    ("PL2", 4),
];

const DIRECTOR: u16 = 5;

fn number(name: &str) -> u128 {
    let place = ROLES.iter().position(|(role, _)| *role == name);
    place.map_or(99, |place| place as u128)
}

/// Each role holds the one permission that bears its name.
fn project() -> Policy {
    let roles = ROLES.iter().copied().chain([("DIR", DIRECTOR)]);
    let roles = roles.flat_map(|(name, level)| {
        let permission = format!("work.{}:do", name.to_lowercase());
        [
            made(1_000 + number(name), &permission, &[]),
            Event::RoleCreated(created(number(name), level)),
            granted(number(name), &permission),
        ]
    });
    let edges = [
        ("ED", "E"),
        ("E1", "ED"),
        ("PE1", "E1"),
        ("QE1", "E1"),
        ("PL1", "PE1"),
        ("PL1", "QE1"),
        ("E2", "ED"),
        ("PE2", "E2"),
        ("QE2", "E2"),
        ("PL2", "PE2"),
        ("PL2", "QE2"),
        ("DIR", "PL1"),
        ("DIR", "PL2"),
    ];
    let edges = edges.map(|(senior, junior)| inherits(number(senior), number(junior)));
    policy(roles.chain(edges))
}

/// Who is authorised for a role: the holders of it and of its seniors.
fn authorized(policy: &Policy, name: &str) -> Vec<&'static str> {
    let permission = format!("work.{}:do", name.to_lowercase());
    let roles = ROLES.iter().map(|(role, _)| *role).chain(["DIR"]);
    roles
        .filter(|held_role| {
            let access = access([held(number(held_role), None, None)]);
            let holder = holder(policy, &access);
            let allowed = holder.effective().allows(&permission);
            assert_eq!(holder.explain(&permission).is_allowed(), allowed);
            allowed
        })
        .collect()
}

#[test]
fn authorises_the_engineers_of_a_project_and_those_above_them_alone() {
    let policy = project();
    assert_eq!(authorized(&policy, "E1"), ["E1", "PE1", "QE1", "PL1", "DIR"]);
    assert_eq!(authorized(&policy, "PE2"), ["PE2", "PL2", "DIR"]);
    assert_eq!(authorized(&policy, "DIR"), ["DIR"]);
    assert_eq!(authorized(&policy, "E").len(), ROLES.len() + 1);
}

#[test]
fn to_delete_an_inheritance_and_add_it_again_restores_it() {
    let (senior_id, junior_id) = (role(number("PL1")), role(number("QE1")));
    let mut policy = project();
    policy.evolve(&Event::InheritanceRemoved { senior_id, junior_id });
    assert_eq!(authorized(&policy, "QE1"), ["QE1"]);
    assert_eq!(authorized(&policy, "E1"), ["E1", "PE1", "QE1", "PL1", "DIR"]);
    policy.evolve(&Event::InheritanceAdded { senior_id, junior_id });
    assert_eq!(policy, project());
}
