//! Answers and their reasons, by example.

use super::*;

const CHIEF: u128 = 100;
const CLERK: u128 = 101;
const READER: u128 = 102;
const YESTERDAY: &str = "2025-12-31T12:00:00Z";
const TOMORROW: &str = "2026-01-02T12:00:00Z";

fn north() -> UnitId {
    id(200)
}

/// A chief over a clerk over a reader, and a shop's own permissions.
fn shop() -> Vec<Event> {
    vec![
        made(400, "shop.till:see", &[]),
        made(401, "shop.till:open", &["shop.till:see", "audit.trail:read"]),
        made(402, "shop.till:run", &["shop.till:open"]),
        Event::RoleCreated(created(CHIEF, 500)),
        granted(CHIEF, "exports.*:*"),
        Event::RoleCreated(created(CLERK, 100)),
        granted(CLERK, "shop.till:run"),
        Event::RoleCreated(created(READER, 50)),
        granted(READER, "rbac.roles:read"),
        inherits(CHIEF, CLERK),
        inherits(CLERK, READER),
    ]
}

fn denied(missing: Lack) -> Verdict {
    Verdict::Deny { missing: vec![missing] }
}

#[test]
fn a_role_gives_what_it_its_juniors_and_its_permissions_bring() {
    let (policy, access) = (policy(shop()), access([held(CHIEF, None, None)]));
    let effective = holder(&policy, &access).effective();
    let expected = [
        "audit.trail:read",
        "exports.files:make",
        "exports.files:read_all",
        "exports.files:request",
        "exports.jobs:read_all",
        "rbac.roles:read",
        "shop.till:open",
        "shop.till:run",
        "shop.till:see",
    ];
    assert_eq!(names(&effective), expected);
    for name in expected {
        assert!(effective.allows(name), "{name}");
    }
    for name in
        ["rbac.roles:manage", "exports.files:fly", "shop.till:close", "exports.*:*", "", "*:*"]
    {
        assert!(!effective.allows(name), "{name}");
    }
    assert!(effective.permits(Permission::ExportsFilesRequest));
    assert!(!effective.permits(Permission::RbacRolesManage));
    assert!(effective.contains("exports.files:*"));
    assert!(!effective.contains("shop.till:*"));
    assert!(!effective.is_everything());
    assert_eq!(effective.max_level(), Some(500));
    assert_eq!(effective.patterns().len(), 1);
}

#[test]
fn a_pattern_means_what_exists_now_and_is_not_retired() {
    let till = [Event::RoleCreated(created(103, 10)), granted(103, "shop.*:*")];
    let retired = Event::PermissionRetired { permission_id: id(400) };
    let policy = policy(shop().into_iter().chain(till).chain([retired]));
    let access = access([held(103, None, None)]);
    let effective = holder(&policy, &access).effective();
    assert_eq!(names(&effective), ["audit.trail:read", "shop.till:open", "shop.till:run"]);
    assert!(!effective.allows("shop.till:see"));
    assert!(!effective.allows("shop.door:open"));
}

#[test]
fn nobody_may_anything_without_a_policy_or_a_role() {
    let (none, empty) = (Policy::default(), UserAccess::default());
    let shop = policy(shop());
    for (policy, access) in [(&none, &access([held(CHIEF, None, None)])), (&shop, &empty)] {
        let effective = holder(policy, access).effective();
        assert_eq!(names(&effective), Vec::<String>::new());
        assert_eq!(effective.max_level(), None);
        assert!(!effective.allows("rbac.roles:read"));
    }
}

#[test]
fn a_deleted_role_gives_nothing() {
    let policy = policy(shop().into_iter().chain([Event::RoleDeleted { role_id: role(CLERK) }]));
    let access = access([held(CLERK, None, None)]);
    let effective = holder(&policy, &access).effective();
    assert_eq!(names(&effective), Vec::<String>::new());
}

#[test]
fn an_owner_may_everything_by_the_policy_itself() {
    let owner = [
        Event::RoleCreated(RoleCreated { protected: true, ..created(1, 1_000) }),
        granted(1, "*:*"),
        Event::ProtectedRoleGranted {
            user_id: id(1),
            role_id: role(1),
            unit_id: None,
            expires_at: None,
        },
    ];
    let (policy, access) = (policy(shop().into_iter().chain(owner)), UserAccess::default());
    let owner = holder(&policy, &access);
    let effective = owner.effective();
    assert!(effective.is_everything());
    assert!(Permission::ALL.iter().all(|permission| effective.permits(*permission)));
    assert_eq!(effective.names().len(), Permission::ALL.len() + 3);
    let Verdict::Allow(grounds) = owner.explain("shop.till:see") else { panic!("denied") };
    assert!(grounds.protected);
    assert_eq!(grounds.granted, "*:*");
    let somebody = Holder { user_id: id(2), ..owner };
    assert_eq!(names(&somebody.effective()), Vec::<String>::new());
}

#[test]
fn says_by_which_assignment_roles_and_permissions_somebody_may() {
    let assignment = held(CHIEF, Some(north()), Some(at(TOMORROW)));
    let (policy, access) = (policy(shop()), access([assignment]));
    let unit_path = [id(201), north()];
    let there = Holder { unit_path: &unit_path, ..holder(&policy, &access) };
    assert_eq!(
        there.explain("shop.till:see"),
        Verdict::Allow(Grounds {
            assignment,
            protected: false,
            role_path: vec![role(CHIEF), role(CLERK)],
            granted: "shop.till:run".to_owned(),
            implied: ["shop.till:run", "shop.till:open", "shop.till:see"]
                .map(str::to_owned)
                .to_vec(),
        })
    );
    assert_eq!(
        there.explain("exports.files:request"),
        Verdict::Allow(Grounds {
            assignment,
            protected: false,
            role_path: vec![role(CHIEF)],
            granted: "exports.*:*".to_owned(),
            implied: vec!["exports.files:request".to_owned()],
        })
    );
}

#[test]
fn tells_the_shortest_way() {
    let (policy, access) =
        (policy(shop()), access([held(CHIEF, None, None), held(READER, None, None)]));
    let Verdict::Allow(grounds) = holder(&policy, &access).explain("rbac.roles:read") else {
        panic!("denied")
    };
    assert_eq!(grounds.role_path, [role(READER)]);
}

#[test]
fn says_that_there_is_no_such_permission() {
    let retired = Event::PermissionRetired { permission_id: id(402) };
    let (policy, access) =
        (policy(shop().into_iter().chain([retired])), access([held(CHIEF, None, None)]));
    let holder = holder(&policy, &access);
    assert_eq!(holder.explain("shop.door:open"), denied(Lack::PermissionUnknown));
    assert_eq!(holder.explain("exports.*:*"), denied(Lack::PermissionUnknown));
    assert_eq!(
        holder.explain("shop.till:run"),
        denied(Lack::PermissionRetired { permission: "shop.till:run".into() })
    );
    assert_eq!(
        holder.explain("shop.till:open"),
        denied(Lack::NotGranted { granted_to: vec![] }),
        "what is retired implies nothing"
    );
}

#[test]
fn says_which_roles_would_help() {
    let (policy, access) = (policy(shop()), access([held(READER, None, None)]));
    let holder = holder(&policy, &access);
    let lacks = |roles: &[u128]| {
        denied(Lack::NotGranted { granted_to: roles.iter().map(|number| role(*number)).collect() })
    };
    assert_eq!(holder.explain("exports.files:request"), lacks(&[CHIEF]));
    assert_eq!(holder.explain("shop.till:see"), lacks(&[CLERK]));
    assert_eq!(holder.explain("backups.archives:read"), lacks(&[]));
}

#[test]
fn names_a_limited_number_of_roles_that_would_help() {
    let many = (0..100).flat_map(|number| {
        let number = 1_000 + number;
        [Event::RoleCreated(created(number, 10)), granted(number, "rbac.roles:read")]
    });
    let (policy, access) = (policy(many), UserAccess::default());
    let Verdict::Deny { missing } = holder(&policy, &access).explain("rbac.roles:read") else {
        panic!("allowed")
    };
    let [Lack::NotGranted { granted_to }] = &*missing else { panic!("{missing:?}") };
    assert_eq!(granted_to.len(), MAX_HINTS);
}

#[test]
fn what_has_expired_authorises_no_longer_from_that_very_moment() {
    let now = context().now;
    let policy = policy(shop());
    for (end, allowed) in
        [(Some(now), false), (Some(at(YESTERDAY)), false), (Some(at(TOMORROW)), true), (None, true)]
    {
        let assignment = held(READER, None, end);
        let access = access([assignment]);
        let holder = holder(&policy, &access);
        assert_eq!(holder.effective().allows("rbac.roles:read"), allowed);
        assert_eq!(holder.explain("rbac.roles:read").is_allowed(), allowed);
        if !allowed {
            assert_eq!(holder.explain("rbac.roles:read"), denied(Lack::Expired { assignment }));
        }
    }
}

#[test]
fn says_until_when_the_answer_holds() {
    let policy = policy(shop());
    let access = access([
        held(CHIEF, None, None),
        held(CLERK, None, Some(at("2026-03-01T00:00:00Z"))),
        held(READER, None, Some(at(TOMORROW))),
        held(READER, Some(north()), Some(at(YESTERDAY))),
    ]);
    let effective = holder(&policy, &access).effective();
    assert_eq!(effective.valid_until(), Some(at(TOMORROW)));
}

#[test]
fn a_role_held_in_a_unit_counts_there_and_below_only() {
    let assignment = held(READER, Some(north()), None);
    let (policy, access) = (policy(shop()), access([assignment]));
    let desk: UnitId = id(201);
    let elsewhere: UnitId = id(202);
    let paths: [(&[UnitId], bool); 5] = [
        (&[], false),
        (&[north()], true),
        (&[desk, north()], true),
        (&[elsewhere], false),
        (&[desk], false),
    ];
    for (unit_path, allowed) in paths {
        let holder = Holder { unit_path, ..holder(&policy, &access) };
        assert_eq!(holder.effective().allows("rbac.roles:read"), allowed);
        let verdict = holder.explain("rbac.roles:read");
        assert_eq!(verdict.is_allowed(), allowed);
        if !allowed {
            assert_eq!(verdict, denied(Lack::ElsewhereOnly { assignment, unit_id: north() }));
        }
    }
}

#[test]
fn a_role_of_a_unit_counts_there_only_however_it_is_held_or_inherited() {
    let of_north = RoleCreated { unit_id: Some(north()), ..created(103, 10) };
    let more = [
        Event::RoleCreated(of_north),
        granted(103, "backups.archives:read"),
        inherits(READER, 103),
    ];
    let policy = policy(shop().into_iter().chain(more));
    for number in [103, READER] {
        let assignment = held(number, None, None);
        let access = access([assignment]);
        let everywhere = holder(&policy, &access);
        assert!(!everywhere.effective().allows("backups.archives:read"));
        assert_eq!(
            everywhere.explain("backups.archives:read"),
            denied(Lack::ElsewhereOnly { assignment, unit_id: north() })
        );
        let there = Holder { unit_path: &[north()], ..everywhere };
        assert!(there.effective().allows("backups.archives:read"));
        assert!(there.explain("backups.archives:read").is_allowed());
    }
    let access = access([held(103, None, None)]);
    assert_eq!(holder(&policy, &access).max_level(), None);
}

#[test]
fn our_services_may_each_their_own_and_others_nothing() {
    for permission in Permission::ALL {
        assert_eq!(
            service_allows("workers", *permission),
            Permission::WORKERS.contains(permission)
        );
        assert_eq!(
            service_allows("query-api", *permission),
            *permission == Permission::AuditReadsRecord
        );
        assert!(!service_allows("worker", *permission));
        assert!(!service_allows("", *permission));
    }
}

#[test]
fn answers_say_themselves_in_json() {
    let deny = denied(Lack::PermissionUnknown);
    let text = serde_json::to_string(&deny).unwrap();
    assert_eq!(text, r#"{"decision":"deny","missing":[{"lack":"permission_unknown"}]}"#);
    let (policy, access) = (policy(shop()), access([held(READER, None, None)]));
    let allow = holder(&policy, &access).explain("rbac.roles:read");
    let text = serde_json::to_string(&allow).unwrap();
    assert_eq!(
        text,
        r#"{"decision":"allow","assignment":{"role_id":"01900000-0000-7000-8000-000000000066"},"protected":false,"role_path":["01900000-0000-7000-8000-000000000066"],"granted":"rbac.roles:read","implied":["rbac.roles:read"]}"#
    );
    assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), allow);
}

#[test]
fn an_effective_set_is_written_out_by_name_and_stands_without_its_policy() {
    let until = Some(at(TOMORROW));
    let (policy, access) = (policy(shop()), access([held(CHIEF, None, until)]));
    let effective = holder(&policy, &access).effective();
    // Another way to write it needs another `RULES`, or processes of two builds believe each other.
    let written = serde_json::json!({
        "catalogue":
            ["rbac.roles:read", "audit.trail:read", "exports.files:request",
             "exports.files:read_all", "exports.files:make", "exports.jobs:read_all"],
        "custom": ["shop.till:open", "shop.till:run", "shop.till:see"],
        "patterns": ["exports.*:*"],
        "max_level": 500,
        "valid_until": TOMORROW,
    });
    let sorted = |mut value: serde_json::Value| {
        let names = value["catalogue"].as_array_mut().unwrap();
        names.sort_by_key(ToString::to_string);
        value
    };
    assert_eq!(sorted(serde_json::to_value(&effective).unwrap()), sorted(written.clone()));
    let read: Effective = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(names(&read), names(&effective));
    assert_eq!((read.max_level(), read.valid_until()), (Some(500), until));
    assert!(read.permits(Permission::AuditTrailRead) && !read.permits(Permission::RbacRolesManage));

    let mut foreign = written;
    foreign["catalogue"] = serde_json::json!(["moon.base:land"]);
    assert!(serde_json::from_value::<Effective>(foreign).is_err());
}

#[test]
fn an_edition_names_the_catalogue_and_is_the_same_each_time() {
    assert_eq!(edition(), edition());
    assert!(edition().starts_with("1."));
}
