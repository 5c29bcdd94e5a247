//! The roles of appointments with clients.

use super::{TemplatePermission, TemplateRole};

pub(super) const ROLES: &[TemplateRole] = &[
    TemplateRole {
        code: "owner",
        name: "Owner",
        description: "May do everything in the organisation.",
        level: 1000,
        permissions: &[],
        juniors: &[],
    },
    TemplateRole {
        code: "admin",
        name: "Administrator",
        description: "Runs the office.",
        level: 900,
        permissions: &[
            "identity.*:*",
            "rbac.*:*",
            "settings.*:*",
            "audit.trail:read",
            "exports.files:request",
            "notifications.messages:send",
            "booking.*:*",
        ],
        juniors: &["provider", "support"],
    },
    TemplateRole {
        code: "provider",
        name: "Provider",
        description: "Offers services and keeps appointments.",
        level: 300,
        permissions: &[
            "booking.calendars:manage",
            "booking.appointments:manage",
            "booking.services:read",
        ],
        juniors: &["client"],
    },
    TemplateRole {
        code: "support",
        name: "Support",
        description: "Helps clients.",
        level: 300,
        permissions: &["booking.appointments:manage", "booking.clients:manage"],
        juniors: &["client"],
    },
    TemplateRole {
        code: "client",
        name: "Client",
        description: "Books appointments.",
        level: 100,
        permissions: &["booking.services:read", "booking.appointments:book"],
        juniors: &[],
    },
    TemplateRole {
        code: "unit-admin",
        name: "Unit administrator",
        description: "What access of level admin to a unit means.",
        level: 60,
        permissions: &["booking.*:*"],
        juniors: &["unit-write"],
    },
    TemplateRole {
        code: "unit-write",
        name: "Unit member",
        description: "What access of level write to a unit means.",
        level: 40,
        permissions: &["booking.appointments:manage", "booking.calendars:manage"],
        juniors: &["unit-read"],
    },
    TemplateRole {
        code: "unit-read",
        name: "Unit reader",
        description: "What access of level read to a unit means.",
        level: 20,
        permissions: &["identity.organizations:read", "booking.*:read"],
        juniors: &[],
    },
];

pub(super) const PERMISSIONS: &[TemplatePermission] = &[
    TemplatePermission {
        name: "booking.services:read",
        description: "See services.",
        implies: &[],
    },
    TemplatePermission {
        name: "booking.services:manage",
        description: "Change services.",
        implies: &["booking.services:read"],
    },
    TemplatePermission {
        name: "booking.calendars:read",
        description: "See calendars.",
        implies: &[],
    },
    TemplatePermission {
        name: "booking.calendars:manage",
        description: "Change calendars.",
        implies: &["booking.calendars:read"],
    },
    TemplatePermission {
        name: "booking.appointments:read",
        description: "See appointments.",
        implies: &[],
    },
    TemplatePermission {
        name: "booking.appointments:book",
        description: "Book one's own appointments.",
        implies: &["booking.appointments:read"],
    },
    TemplatePermission {
        name: "booking.appointments:manage",
        description: "Book and move everybody's appointments.",
        implies: &["booking.appointments:read"],
    },
    TemplatePermission { name: "booking.clients:read", description: "See clients.", implies: &[] },
    TemplatePermission {
        name: "booking.clients:manage",
        description: "Register and change clients.",
        implies: &["booking.clients:read"],
    },
];
