//! The roles of the upkeep of assets.

use super::{TemplatePermission, TemplateRole};

pub(super) const ROLES: &[TemplateRole] = &[
    TemplateRole {
        code: "admin",
        name: "Administrator",
        description: "Runs the upkeep.",
        level: 900,
        permissions: &[
            "identity.*:*",
            "rbac.*:*",
            "settings.*:*",
            "audit.trail:read",
            "exports.files:request",
            "notifications.messages:send",
            "maintenance.*:*",
        ],
        juniors: &["planner"],
    },
    TemplateRole {
        code: "planner",
        name: "Planner",
        description: "Plans what is kept up when.",
        level: 600,
        permissions: &[
            "maintenance.plans:manage",
            "maintenance.assets:manage",
            "maintenance.tasks:assign",
            "exports.files:request",
        ],
        juniors: &["technician"],
    },
    TemplateRole {
        code: "technician",
        name: "Technician",
        description: "Does the work.",
        level: 300,
        permissions: &[
            "maintenance.tasks:read",
            "maintenance.tasks:work",
            "maintenance.assets:read",
            "maintenance.plans:read",
        ],
        juniors: &["requester"],
    },
    TemplateRole {
        code: "requester",
        name: "Requester",
        description: "Says what is broken.",
        level: 100,
        permissions: &["maintenance.requests:read", "maintenance.requests:create"],
        juniors: &[],
    },
    TemplateRole {
        code: "unit-admin",
        name: "Unit administrator",
        description: "What access of level admin to a unit means.",
        level: 60,
        permissions: &["maintenance.*:*"],
        juniors: &["unit-write"],
    },
    TemplateRole {
        code: "unit-write",
        name: "Unit member",
        description: "What access of level write to a unit means.",
        level: 40,
        permissions: &["maintenance.tasks:work", "maintenance.requests:create"],
        juniors: &["unit-read"],
    },
    TemplateRole {
        code: "unit-read",
        name: "Unit reader",
        description: "What access of level read to a unit means.",
        level: 20,
        permissions: &["identity.organizations:read", "maintenance.*:read"],
        juniors: &[],
    },
];

/// All of them are of the catalogue.
pub(super) const PERMISSIONS: &[TemplatePermission] = &[];
