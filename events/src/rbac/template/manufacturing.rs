//! The roles of a plant.

use super::{TemplatePermission, TemplateRole};

pub(super) const ROLES: &[TemplateRole] = &[
    TemplateRole {
        code: "admin",
        name: "Administrator",
        description: "Runs the plant's systems.",
        level: 900,
        permissions: &[
            "identity.*:*",
            "rbac.*:*",
            "settings.*:*",
            "audit.trail:read",
            "exports.files:request",
            "notifications.messages:send",
            "manufacturing.*:*",
        ],
        juniors: &["plant-manager"],
    },
    TemplateRole {
        code: "plant-manager",
        name: "Plant manager",
        description: "Runs a plant.",
        level: 700,
        permissions: &["identity.users:read", "exports.files:request"],
        juniors: &["production-planner", "quality-manager"],
    },
    TemplateRole {
        code: "production-planner",
        name: "Production planner",
        description: "Plans orders.",
        level: 500,
        permissions: &["manufacturing.orders:manage", "manufacturing.stock:manage"],
        juniors: &["operator"],
    },
    TemplateRole {
        code: "quality-manager",
        name: "Quality manager",
        description: "Decides on quality.",
        level: 500,
        permissions: &["manufacturing.quality:decide"],
        juniors: &["inspector"],
    },
    TemplateRole {
        code: "inspector",
        name: "Inspector",
        description: "Inspects lots.",
        level: 300,
        permissions: &[
            "manufacturing.quality:record",
            "manufacturing.orders:read",
            "manufacturing.stock:read",
        ],
        juniors: &[],
    },
    TemplateRole {
        code: "operator",
        name: "Operator",
        description: "Makes things.",
        level: 200,
        permissions: &["manufacturing.orders:report", "manufacturing.stock:read"],
        juniors: &[],
    },
    TemplateRole {
        code: "unit-admin",
        name: "Unit administrator",
        description: "What access of level admin to a unit means.",
        level: 60,
        permissions: &["manufacturing.*:*"],
        juniors: &["unit-write"],
    },
    TemplateRole {
        code: "unit-write",
        name: "Unit member",
        description: "What access of level write to a unit means.",
        level: 40,
        permissions: &["manufacturing.orders:report", "manufacturing.quality:record"],
        juniors: &["unit-read"],
    },
    TemplateRole {
        code: "unit-read",
        name: "Unit reader",
        description: "What access of level read to a unit means.",
        level: 20,
        permissions: &["identity.organizations:read", "manufacturing.*:read"],
        juniors: &[],
    },
];

pub(super) const PERMISSIONS: &[TemplatePermission] = &[
    TemplatePermission {
        name: "manufacturing.orders:read",
        description: "See orders.",
        implies: &[],
    },
    TemplatePermission {
        name: "manufacturing.orders:manage",
        description: "Plan and release orders.",
        implies: &["manufacturing.orders:read"],
    },
    TemplatePermission {
        name: "manufacturing.orders:report",
        description: "Report on orders.",
        implies: &["manufacturing.orders:read"],
    },
    TemplatePermission {
        name: "manufacturing.stock:read",
        description: "See stock.",
        implies: &[],
    },
    TemplatePermission {
        name: "manufacturing.stock:manage",
        description: "Move and count stock.",
        implies: &["manufacturing.stock:read"],
    },
    TemplatePermission {
        name: "manufacturing.quality:read",
        description: "See inspections.",
        implies: &[],
    },
    TemplatePermission {
        name: "manufacturing.quality:record",
        description: "Record inspections.",
        implies: &["manufacturing.quality:read"],
    },
    TemplatePermission {
        name: "manufacturing.quality:decide",
        description: "Decide on inspections.",
        implies: &["manufacturing.quality:read"],
    },
];
