//! The organisation's own permissions.

use super::*;
use crate::permission::Permission;
use crate::rbac::name::catalogue_id;
use crate::rbac::policy::MAX_IMPLIED;
use crate::text::Fault;

const OPEN: u128 = 400;

fn create(wanted: CreatePermission) -> Command {
    Command::CreatePermission(wanted)
}

fn describe(number: u128, description: Option<&str>) -> Command {
    Command::DescribePermission { permission_id: id(number), description: description.map(text) }
}

fn retire(number: u128) -> Command {
    Command::RetirePermission { permission_id: id(number) }
}

fn retired(number: u128) -> Event {
    Event::PermissionRetired { permission_id: id(number) }
}

#[test]
fn creates_a_permission_with_what_comes_with_it() {
    let wanted = CreatePermission {
        description: Some(text(" Open the till. ")),
        ..new_permission(
            OPEN,
            "shop.till:open",
            &["rbac.roles:read", "exports.files:request", "rbac.roles:read"],
        )
    };
    manager_after([]).when(create(wanted)).then([Event::PermissionCreated {
        permission_id: id(OPEN),
        name: text("shop.till:open"),
        description: Some(text("Open the till.")),
        implies: vec![text("exports.files:request"), text("rbac.roles:read")],
    }]);
}

#[test]
fn names_and_ids_of_permissions_are_used_once_even_after_retirement() {
    for past in [
        vec![made(OPEN, "shop.till:open", &[])],
        vec![made(OPEN, "shop.till:open", &[]), retired(OPEN)],
    ] {
        manager_after(past.clone())
            .when(create(new_permission(401, "shop.till:open", &[])))
            .refused(Rejection::PermissionNameTaken { name: text("shop.till:open") });
        manager_after(past)
            .when(create(new_permission(OPEN, "shop.till:close", &[])))
            .refused(Rejection::PermissionIdTaken { permission_id: id(OPEN) });
    }
}

#[test]
fn refuses_patterns_nonsense_and_the_name_spaces_of_modules() {
    for name in ["shop.*:open", "shop.till:*", "shop", "Shop.till:open"] {
        manager_after([])
            .when(create(new_permission(OPEN, name, &[])))
            .refused(Rejection::PermissionNameInvalid { name: text(name) });
    }
    for name in ["rbac.roles:read", "rbac:fly", "exports.own:read"] {
        manager_after([])
            .when(create(new_permission(OPEN, name, &[])))
            .refused(Rejection::PermissionNameReserved { name: text(name) });
    }
}

#[test]
fn only_existing_permissions_are_implied() {
    manager_after([])
        .when(create(new_permission(OPEN, "shop.till:open", &["shop.till:see"])))
        .refused(Rejection::GrantUnknown { name: text("shop.till:see") });
    manager_after([])
        .when(create(new_permission(OPEN, "shop.till:open", &["rbac.*:*"])))
        .refused(Rejection::GrantUnknown { name: text("rbac.*:*") });
    manager_after([made(OPEN, "shop.till:see", &[]), retired(OPEN)])
        .when(create(new_permission(401, "shop.till:open", &["shop.till:see"])))
        .refused(Rejection::PermissionRetired { name: text("shop.till:see") });
}

#[test]
fn a_limited_number_of_permissions_is_implied() {
    let many: Vec<_> = (0..=MAX_IMPLIED).map(|number| format!("shop.s{number}:see")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    manager_after([])
        .when(create(new_permission(OPEN, "shop.till:open", &many)))
        .refused(Rejection::PermissionImpliesTooMany);
}

#[test]
fn nobody_hides_what_they_do_not_have_in_a_permission() {
    manager_after([])
        .when(create(new_permission(OPEN, "shop.till:open", &["backups.archives:request"])))
        .refused(Rejection::EscalatesPermissions { permission: text("backups.archives:request") });
}

#[test]
fn refuses_a_description_that_is_too_long() {
    let description = Some("x".repeat(501));
    manager_after([])
        .when(create(CreatePermission {
            description,
            ..new_permission(OPEN, "shop.till:open", &[])
        }))
        .refused(Rejection::PermissionDescriptionInvalid(Fault::TooLong(500)));
}

#[test]
fn describes_a_permission_of_its_own() {
    let described =
        Event::PermissionDescribed { permission_id: id(OPEN), description: Some(text("Open it.")) };
    let past = || vec![made(OPEN, "shop.till:open", &[])];
    manager_after(past()).when(describe(OPEN, Some("Open it."))).then([described.clone()]);
    let past = past().into_iter().chain([described]);
    manager_after(past).when(describe(OPEN, Some("Open it."))).then([]);
}

#[test]
fn retires_a_permission_once() {
    let past = || vec![made(OPEN, "shop.till:open", &[])];
    manager_after(past()).when(retire(OPEN)).then([retired(OPEN)]);
    for command in [retire(OPEN), describe(OPEN, None)] {
        manager_after(past().into_iter().chain([retired(OPEN)]))
            .when(command)
            .refused(Rejection::PermissionRetired { name: text("shop.till:open") });
    }
}

#[test]
fn the_catalogue_and_the_unknown_are_not_the_organisations_own() {
    for permission_id in [id(OPEN), catalogue_id(Permission::RbacRolesRead)] {
        for command in [
            Command::RetirePermission { permission_id },
            Command::DescribePermission { permission_id, description: None },
        ] {
            manager_after([]).when(command).refused(Rejection::PermissionUnknown { permission_id });
        }
    }
}

#[test]
fn a_retired_permission_is_not_granted_and_can_be_taken_away() {
    let past =
        || [made(OPEN, "shop.till:open", &[]), granted(CLERK, "shop.till:open"), retired(OPEN)];
    let permission = || text("shop.till:open");
    owner_after(past())
        .when(Command::GrantPermission { role_id: role(READER), permission: permission() })
        .refused(Rejection::PermissionRetired { name: permission() });
    owner_after(past())
        .when(Command::RevokePermission { role_id: role(CLERK), permission: permission() })
        .then([Event::PermissionRevoked { role_id: role(CLERK), permission: permission() }]);
}

#[test]
fn a_permission_is_found_by_its_id() {
    let policy = folded(ladder().into_iter().chain([made(OPEN, "shop.till:open", &[])]));
    assert_eq!(policy.permission_name(id(OPEN)).as_deref(), Some("shop.till:open"));
    let of_catalogue = catalogue_id(Permission::RbacRolesRead);
    assert_eq!(policy.permission_name(of_catalogue).as_deref(), Some("rbac.roles:read"));
    assert_eq!(policy.permission_name(id(401)), None);
}
