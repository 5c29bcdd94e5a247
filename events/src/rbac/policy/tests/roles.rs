//! Making, changing and deleting roles.

use super::*;
use crate::ids::PermissionId;
use crate::permission::Permission;
use crate::rbac::name;
use crate::rbac::policy::MAX_GRANTS;
use crate::testing::at;
use crate::text::Fault;

const NEW: u128 = 300;

fn create(number: u128, name: &str, level: u16) -> Command {
    Command::CreateRole(new_role(number, name, level))
}

fn replaced(number: u128, added: &[&str], removed: &[&str]) -> Event {
    let list = |names: &[&str]| names.iter().map(|name| text(name)).collect();
    let (added, removed) = (list(added), list(removed));
    Event::RolePermissionsReplaced { role_id: role(number), added, removed }
}

fn replace(number: u128, permissions: &[&str]) -> Command {
    let permissions = permissions.iter().map(|name| text(name)).collect();
    Command::ReplaceRolePermissions { role_id: role(number), permissions }
}

fn grant(number: u128, permission: &str) -> Command {
    Command::GrantPermission { role_id: role(number), permission: text(permission) }
}

fn revoke(number: u128, permission: &str) -> Command {
    Command::RevokePermission { role_id: role(number), permission: text(permission) }
}

fn rename(number: u128, name: &str) -> Command {
    Command::RenameRole { role_id: role(number), name: text(name) }
}

fn move_to(number: u128, level: u16) -> Command {
    Command::ChangeRoleLevel { role_id: role(number), level }
}

#[test]
fn creates_a_role_with_a_code_made_from_its_name() {
    let made = RoleCreated {
        code: text("plant-manager-night"),
        ..created(NEW, "Plant manager (night)", 499)
    };
    manager_after([])
        .when(create(NEW, " Plant manager (night) ", 499))
        .then([Event::RoleCreated(made)]);
}

#[test]
fn creates_a_role_with_its_permissions_each_once_and_in_order() {
    let permissions =
        ["rbac.roles:read", "exports.files:request", "rbac.roles:read", "rbac.*:read"];
    let permissions = permissions.map(text).to_vec();
    manager_after([])
        .when(Command::CreateRole(CreateRole { permissions, ..new_role(NEW, "Planner", 10) }))
        .then([
            Event::RoleCreated(created(NEW, "Planner", 10)),
            replaced(NEW, &["exports.files:request", "rbac.*:read", "rbac.roles:read"], &[]),
        ]);
}

#[test]
fn creates_a_protected_role_with_code_and_description() {
    let wanted = CreateRole {
        code: Some(text("Auditor_1")),
        description: Some(text(" Reads\nall. ")),
        protected: true,
        ..new_role(NEW, "Auditor", 20)
    };
    let made = RoleCreated {
        code: text("Auditor_1"),
        description: Some(text("Reads\nall.")),
        protected: true,
        ..created(NEW, "Auditor", 20)
    };
    manager_after([]).when(Command::CreateRole(wanted)).then([Event::RoleCreated(made)]);
}

#[test]
fn an_id_names_one_role_for_ever() {
    let gone = Event::RoleDeleted { role_id: role(READER) };
    for (past, number) in [(vec![], CLERK), (vec![gone], READER)] {
        manager_after(past)
            .when(create(number, "Planner", 10))
            .refused(Rejection::RoleIdTaken { role_id: role(number) });
    }
}

#[test]
fn a_name_is_unique_in_its_unit_in_whatever_letters() {
    manager_after([])
        .when(create(NEW, "CLERK", 10))
        .refused(Rejection::RoleNameTaken { name: text("CLERK") });
    let (unit_id, code) = (Some(id(200)), Some(text("clerk-north")));
    let in_north =
        |number| CreateRole { unit_id, code: code.clone(), ..new_role(number, "Clerk", 10) };
    let made = RoleCreated { unit_id, code: text("clerk-north"), ..created(NEW, "Clerk", 10) };
    manager_after([])
        .facts(Facts { unit_path: vec![id(200), id(201)], ..by_manager() })
        .when(Command::CreateRole(in_north(NEW)))
        .then([Event::RoleCreated(made.clone())]);
    manager_after([Event::RoleCreated(made)])
        .facts(Facts { unit_path: vec![id(200), id(201)], ..by_manager() })
        .when(Command::CreateRole(in_north(301)))
        .refused(Rejection::RoleNameTaken { name: text("Clerk") });
}

#[test]
fn a_code_is_unique_in_the_organisation_in_whatever_letters() {
    let code = Some(text("CLERK"));
    manager_after([])
        .when(Command::CreateRole(CreateRole { code, ..new_role(NEW, "Other", 10) }))
        .refused(Rejection::RoleCodeTaken { code: text("CLERK") });
}

#[test]
fn names_and_codes_of_deleted_roles_are_free_again() {
    manager_after([Event::RoleDeleted { role_id: role(READER) }])
        .when(create(NEW, "Reader", 10))
        .then([Event::RoleCreated(created(NEW, "Reader", 10))]);
}

#[test]
fn refuses_names_codes_and_descriptions_that_are_none() {
    let wanted = || new_role(NEW, "Planner", 10);
    for (name, fault) in [
        ("  ", Fault::Empty),
        ("a\u{202e}b", Fault::Control),
        (&*"ä".repeat(101), Fault::TooLong(100)),
    ] {
        manager_after([]).when(create(NEW, name, 10)).refused(Rejection::RoleNameInvalid(fault));
    }
    for code in ["", "-a", "a b", "ä", &"a".repeat(51)] {
        manager_after([])
            .when(Command::CreateRole(CreateRole { code: Some(text(code)), ..wanted() }))
            .refused(Rejection::RoleCodeInvalid);
    }
    manager_after([]).when(create(NEW, "管理者", 10)).refused(Rejection::RoleCodeInvalid);
    let description = Some("x".repeat(501));
    manager_after([])
        .when(Command::CreateRole(CreateRole { description, ..wanted() }))
        .refused(Rejection::RoleDescriptionInvalid(Fault::TooLong(500)));
}

#[test]
fn no_role_stands_as_high_as_the_owner() {
    owner_after([]).when(create(NEW, "God", OWNER_LEVEL)).refused(Rejection::RoleLevelInvalid);
    owner_after([]).when(move_to(CLERK, OWNER_LEVEL)).refused(Rejection::RoleLevelInvalid);
    owner_after([])
        .when(create(NEW, "Deputy", OWNER_LEVEL - 1))
        .then([Event::RoleCreated(created(NEW, "Deputy", OWNER_LEVEL - 1))]);
}

#[test]
fn nobody_creates_a_role_of_their_own_level_or_higher() {
    manager_after([])
        .when(create(NEW, "Rival", 500))
        .refused(Rejection::EscalatesLevel { level: 500 });
    manager_after([])
        .facts(by_nobody())
        .when(create(NEW, "Low", 0))
        .refused(Rejection::EscalatesLevel { level: 0 });
}

#[test]
fn nobody_creates_a_role_that_may_more_than_they() {
    for permission in ["backups.archives:request", "*:*", "*:read", "exports.*:*"] {
        let permissions = vec![text(permission)];
        manager_after([])
            .when(Command::CreateRole(CreateRole { permissions, ..new_role(NEW, "Spy", 10) }))
            .refused(Rejection::EscalatesPermissions { permission: text(permission) });
    }
}

#[test]
fn refuses_a_role_of_an_unknown_unit() {
    let unit_id = Some(id(200));
    manager_after([])
        .when(Command::CreateRole(CreateRole { unit_id, ..new_role(NEW, "Planner", 10) }))
        .refused(Rejection::RoleUnitUnknown { unit_id: id(200) });
}

#[test]
fn renames_a_role_and_frees_its_old_name() {
    let renamed = Event::RoleRenamed { role_id: role(CLERK), name: text("Bookkeeper") };
    manager_after([]).when(rename(CLERK, "Bookkeeper")).then([renamed.clone()]);
    let code = Some(text("clerk-2"));
    let made = RoleCreated { code: text("clerk-2"), ..created(NEW, "Clerk", 10) };
    manager_after([renamed])
        .when(Command::CreateRole(CreateRole { code, ..new_role(NEW, "Clerk", 10) }))
        .then([Event::RoleCreated(made)]);
}

#[test]
fn renames_a_role_to_other_letters_of_its_own_name() {
    manager_after([])
        .when(rename(CLERK, "CLERK"))
        .then([Event::RoleRenamed { role_id: role(CLERK), name: text("CLERK") }]);
}

#[test]
fn refuses_the_name_of_another_role() {
    manager_after([])
        .when(rename(CLERK, "reader"))
        .refused(Rejection::RoleNameTaken { name: text("reader") });
}

#[test]
fn what_is_so_already_changes_nothing() {
    let described = |description: Option<&str>| Command::DescribeRole {
        role_id: role(CLERK),
        description: description.map(text),
    };
    manager_after([]).when(rename(CLERK, "Clerk ")).then([]);
    manager_after([]).when(move_to(CLERK, 100)).then([]);
    manager_after([]).when(described(None)).then([]);
    manager_after([]).when(replace(CLERK, &["exports.files:request"])).then([]);
    let kept =
        Event::RoleDescribed { role_id: role(CLERK), description: Some(text("Keeps books.")) };
    manager_after([]).when(described(Some("Keeps books."))).then([kept.clone()]);
    manager_after([kept]).when(described(Some("Keeps books."))).then([]);
}

#[test]
fn moves_a_role_between_its_juniors_and_its_seniors() {
    manager_after([])
        .when(move_to(CLERK, 499))
        .then([Event::RoleRaised { role_id: role(CLERK), level: 499 }]);
    manager_after([])
        .when(move_to(CLERK, 51))
        .then([Event::RoleLowered { role_id: role(CLERK), level: 51 }]);
    manager_after([])
        .when(move_to(CLERK, 50))
        .refused(Rejection::RoleLevelsOutOfOrder { senior: 50, junior: 50 });
    owner_after([])
        .when(move_to(CLERK, 500))
        .refused(Rejection::RoleLevelsOutOfOrder { senior: 500, junior: 500 });
}

#[test]
fn nobody_raises_a_role_to_their_own_level() {
    manager_after([]).when(move_to(CLERK, 500)).refused(Rejection::EscalatesLevel { level: 500 });
}

#[test]
fn roles_of_the_system_keep_name_level_and_existence() {
    let described = Event::RoleDescribed { role_id: role(OWNER), description: None };
    owner_after([]).when(rename(OWNER, "Boss")).refused(Rejection::RoleIsSystem);
    owner_after([]).when(move_to(OWNER, 900)).refused(Rejection::RoleIsSystem);
    owner_after([])
        .when(Command::DeleteRole { role_id: role(OWNER) })
        .refused(Rejection::RoleIsSystem);
    owner_after([])
        .when(Command::DescribeRole { role_id: role(OWNER), description: None })
        .then([described]);
}

#[test]
fn roles_of_the_system_keep_what_they_came_with() {
    let kept = || Rejection::GrantKept { name: text("*:*") };
    owner_after([]).when(revoke(OWNER, "*:*")).refused(kept());
    owner_after([]).when(replace(OWNER, &["rbac.roles:read"])).refused(kept());
    let own = [made(400, "shop.till:open", &[]), granted(OWNER, "shop.till:open")];
    owner_after(own).when(revoke(OWNER, "shop.till:open")).then([Event::PermissionRevoked {
        role_id: role(OWNER),
        permission: text("shop.till:open"),
    }]);
}

#[test]
fn deletes_a_role_and_its_inheritance() {
    let gone = Event::RoleDeleted { role_id: role(CLERK) };
    manager_after([]).when(Command::DeleteRole { role_id: role(CLERK) }).then([gone.clone()]);
    let policy = folded(ladder().into_iter().chain([gone]));
    assert!(policy.role(role(CLERK)).is_none());
    assert!(!policy.inherits(role(MANAGER), role(READER)));
    assert!(policy.role(role(MANAGER)).unwrap().juniors.is_empty());
    assert!(policy.role(role(READER)).unwrap().seniors.is_empty());
}

#[test]
fn a_protected_role_is_deleted_when_nobody_holds_it_any_more() {
    let guard = || Event::RoleCreated(RoleCreated { protected: true, ..created(NEW, "Guard", 10) });
    let held = |end| Event::ProtectedRoleGranted {
        user_id: id(2),
        role_id: role(NEW),
        unit_id: None,
        expires_at: Some(at(end)),
    };
    let delete = || Command::DeleteRole { role_id: role(NEW) };
    manager_after([guard(), held("2026-02-01T00:00:00Z")])
        .when(delete())
        .refused(Rejection::RoleIsHeld { holders: 1 });
    manager_after([guard(), held("2025-12-01T00:00:00Z")])
        .when(delete())
        .then([Event::RoleDeleted { role_id: role(NEW) }]);
}

#[test]
fn nobody_changes_a_role_that_stands_as_high_as_they_do() {
    let escalates = || Rejection::EscalatesLevel { level: 500 };
    let commands = [
        rename(MANAGER, "Boss"),
        move_to(MANAGER, 400),
        Command::DescribeRole { role_id: role(MANAGER), description: None },
        Command::DeleteRole { role_id: role(MANAGER) },
        replace(MANAGER, &[]),
        grant(MANAGER, "rbac.roles:read"),
        revoke(MANAGER, "rbac.*:*"),
        Command::AddInheritance { senior_id: role(MANAGER), junior_id: role(READER) },
        Command::RemoveInheritance { senior_id: role(MANAGER), junior_id: role(CLERK) },
    ];
    for command in commands {
        manager_after([]).when(command).refused(escalates());
    }
}

#[test]
fn an_unknown_role_is_not_changed() {
    let unknown = || Rejection::RoleUnknown { role_id: role(NEW) };
    let commands = [
        rename(NEW, "Boss"),
        move_to(NEW, 400),
        Command::DescribeRole { role_id: role(NEW), description: None },
        Command::DeleteRole { role_id: role(NEW) },
        replace(NEW, &[]),
        grant(NEW, "rbac.roles:read"),
        revoke(NEW, "rbac.*:*"),
        Command::AddInheritance { senior_id: role(NEW), junior_id: role(READER) },
        Command::AddInheritance { senior_id: role(CLERK), junior_id: role(NEW) },
        Command::RemoveInheritance { senior_id: role(NEW), junior_id: role(CLERK) },
    ];
    for command in commands {
        manager_after([]).when(command).refused(unknown());
    }
}

#[test]
fn grants_a_permission_or_a_pattern_once() {
    for permission in ["rbac.roles:read", "rbac.roles:*", "rbac.*:read"] {
        manager_after([]).when(grant(CLERK, permission)).then([granted(CLERK, permission)]);
        manager_after([granted(CLERK, permission)])
            .when(grant(CLERK, permission))
            .refused(Rejection::GrantExists { name: text(permission) });
    }
}

#[test]
fn revokes_a_permission_that_the_role_itself_has() {
    manager_after([]).when(revoke(CLERK, "exports.files:request")).then([
        Event::PermissionRevoked {
            role_id: role(CLERK),
            permission: text("exports.files:request"),
        },
    ]);
    manager_after([])
        .when(revoke(CLERK, "audit.trail:read"))
        .refused(Rejection::GrantAbsent { name: text("audit.trail:read") });
}

#[test]
fn replaces_the_permissions_of_a_role() {
    manager_after([]).when(replace(CLERK, &["rbac.roles:read", "audit.trail:read"])).then([
        replaced(CLERK, &["audit.trail:read", "rbac.roles:read"], &["exports.files:request"]),
    ]);
    let policy = folded(ladder().into_iter().chain([replaced(
        CLERK,
        &["audit.trail:read", "rbac.*:read"],
        &["exports.files:request"],
    )]));
    let grants: Vec<_> = policy.role(role(CLERK)).unwrap().grants.iter().cloned().collect();
    assert_eq!(grants, ["audit.trail:read".into(), "rbac.*:read".into()]);
}

#[test]
fn nobody_grants_what_they_do_not_have() {
    let escalates = |name| Rejection::EscalatesPermissions { permission: text(name) };
    for permission in ["backups.archives:read", "*:*", "audit.*:read"] {
        manager_after([]).when(grant(CLERK, permission)).refused(escalates(permission));
        manager_after([])
            .when(replace(CLERK, &["exports.files:request", permission]))
            .refused(escalates(permission));
    }
}

#[test]
fn a_role_keeps_what_its_changer_could_not_have_given() {
    let past = [granted(CLERK, "backups.archives:read")];
    manager_after(past).when(replace(CLERK, &["backups.archives:read"])).then([replaced(
        CLERK,
        &[],
        &["exports.files:request"],
    )]);
}

#[test]
fn refuses_to_grant_what_is_no_permission() {
    let unknown = |name| Rejection::GrantUnknown { name: text(name) };
    owner_after([]).when(grant(CLERK, "shop.till:open")).refused(unknown("shop.till:open"));
    owner_after([]).when(replace(CLERK, &["rbac.roles:fly"])).refused(unknown("rbac.roles:fly"));
    for nonsense in ["", "rbac", "Rbac.roles:read", "rbac.ro*:read"] {
        owner_after([])
            .when(grant(CLERK, nonsense))
            .refused(Rejection::PermissionNameInvalid { name: text(nonsense) });
    }
}

#[test]
fn a_role_is_granted_a_limited_number_of_permissions() {
    let many: Vec<String> = (0..=MAX_GRANTS).map(|number| format!("a{number}.*:read")).collect();
    let full = Event::RolePermissionsReplaced {
        role_id: role(CLERK),
        added: many[2..].to_vec(),
        removed: Vec::new(),
    };
    let permissions = many.clone();
    owner_after([])
        .when(Command::ReplaceRolePermissions { role_id: role(CLERK), permissions })
        .refused(Rejection::GrantsTooMany);
    owner_after([full]).when(grant(CLERK, &many[0])).refused(Rejection::GrantsTooMany);
}

#[test]
fn the_unit_of_a_command_is_the_one_it_names_or_that_of_its_role() {
    let unit_id = Some(id(200));
    let of_north = Event::RoleCreated(RoleCreated { unit_id, ..created(NEW, "Clerk", 10) });
    let policy = folded(ladder().into_iter().chain([of_north]));
    assert_eq!(policy.unit_of(&rename(NEW, "x")), unit_id);
    assert_eq!(policy.unit_of(&grant(CLERK, "x")), None);
    assert_eq!(
        policy.unit_of(&Command::CreateRole(CreateRole { unit_id, ..new_role(301, "x", 1) })),
        unit_id
    );
}

#[test]
fn a_permission_is_granted_and_revoked_by_its_id() {
    let by_id = id::<PermissionId>(77).to_string();
    let of_catalogue = name::catalogue_id(Permission::RbacRolesRead).to_string();
    let made = || [made(77, "shop.till:open", &[])];
    owner_after(made()).when(grant(CLERK, &by_id)).then([granted(CLERK, "shop.till:open")]);
    owner_after(made()).when(grant(CLERK, &of_catalogue)).then([granted(CLERK, "rbac.roles:read")]);
    let past = made().into_iter().chain([granted(CLERK, "shop.till:open")]);
    let revoked =
        Event::PermissionRevoked { role_id: role(CLERK), permission: text("shop.till:open") };
    owner_after(past).when(revoke(CLERK, &by_id)).then([revoked]);
    let unknown = Rejection::PermissionUnknown { permission_id: id(78) };
    let stranger = id::<PermissionId>(78).to_string();
    owner_after(made()).when(grant(CLERK, &stranger)).refused(unknown.clone());
    owner_after(made()).when(revoke(CLERK, &stranger)).refused(unknown);
}
