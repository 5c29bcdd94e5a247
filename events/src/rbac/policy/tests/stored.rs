//! What is stored of a policy: events and snapshots.

use super::*;
use crate::rbac::assignment::Assignment;
use crate::rbac::template::Template;
use crate::testing::{at, frozen};

#[test]
fn stored_events_keep_their_shape() {
    let (user_id, role_id, permission_id) = (id(2), role(CLERK), id(400));
    let (unit_id, expires_at) = (Some(id(200)), Some(at("2026-02-01T00:00:00Z")));
    let (senior_id, junior_id) = (role(CLERK), role(READER));
    let set_id = id(500);
    let permission = text("exports.files:request");
    let description = Some(text("Keeps the books."));
    frozen::<Policy>([
        Event::Initialized { owner_role_id: role(OWNER) },
        Event::PermissionCreated {
            permission_id,
            name: text("shop.till:open"),
            description: Some(text("Open the till.")),
            implies: vec![text("shop.till:see")],
        },
        Event::PermissionDescribed { permission_id, description: Some(text("Open it.")) },
        Event::PermissionRetired { permission_id },
        Event::RoleCreated(RoleCreated {
            description: description.clone(),
            unit_id,
            ..created(CLERK, "Clerk", 100)
        }),
        Event::RoleRenamed { role_id, name: text("Bookkeeper") },
        Event::RoleDescribed { role_id, description },
        Event::RoleRaised { role_id, level: 120 },
        Event::RoleLowered { role_id, level: 80 },
        Event::RoleDeleted { role_id },
        Event::RolePermissionsReplaced {
            role_id,
            added: vec![text("audit.trail:read")],
            removed: vec![permission.clone()],
        },
        Event::PermissionGranted { role_id, permission: permission.clone() },
        Event::PermissionRevoked { role_id, permission },
        Event::InheritanceAdded { senior_id, junior_id },
        Event::InheritanceRemoved { senior_id, junior_id },
        Event::TemplateInstantiated {
            template: Template::School,
            role_ids: vec![role_id],
            unit_id: None,
        },
        Event::ExclusiveRolesDefined {
            set_id,
            name: text("Books and audit"),
            roles: vec![role(CLERK), role(READER)],
            cardinality: 2,
        },
        Event::ExclusiveRoleAdded { set_id, role_id },
        Event::ExclusiveRoleRemoved { set_id, role_id },
        Event::ExclusiveRolesTightened { set_id, cardinality: 2 },
        Event::ExclusiveRolesRelaxed { set_id, cardinality: 3 },
        Event::ExclusiveRolesRemoved { set_id },
        Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at },
        Event::ProtectedRoleRevoked { user_id, role_id, unit_id, reason: Some(text("left")) },
        Event::ProtectedRoleEndAnnounced {
            user_id,
            role_id,
            unit_id,
            expires_at: at("2026-02-01T00:00:00Z"),
        },
        Event::ProtectedRoleExpired { user_id, role_id, unit_id },
    ]);
}

#[test]
fn keeps_everything_through_a_snapshot() {
    let more = [
        made(400, "shop.till:see", &[]),
        made(401, "shop.till:open", &["shop.till:see", "rbac.roles:read"]),
        Event::PermissionRetired { permission_id: id(400) },
        granted(CLERK, "shop.till:open"),
        granted(CLERK, "shop.*:read"),
        Event::RoleDeleted { role_id: role(READER) },
        holds(8, OWNER),
        Event::ProtectedRoleEndAnnounced {
            user_id: id(8),
            role_id: role(OWNER),
            unit_id: None,
            expires_at: at("2026-02-01T00:00:00Z"),
        },
        Event::ExclusiveRolesDefined {
            set_id: id(500),
            name: text("Books and audit"),
            roles: vec![role(CLERK), role(MANAGER), role(OWNER)],
            cardinality: 2,
        },
    ];
    let policy = folded(ladder().into_iter().chain(more));
    let stored = serde_json::to_string(&policy).unwrap();
    let read: Policy = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, policy);
    assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    assert!(read.role_id_is_taken(role(READER)));
    let owner = Assignment { role_id: role(OWNER), unit_id: None, expires_at: None };
    assert_eq!(read.protected_grants(id(8)), [owner]);
}

#[test]
fn an_absent_policy_is_the_default_and_survives_a_snapshot() {
    let stored = serde_json::to_string(&Policy::default()).unwrap();
    let read: Policy = serde_json::from_str(&stored).unwrap();
    assert!(!read.exists());
    assert_eq!(read, Policy::default());
}
