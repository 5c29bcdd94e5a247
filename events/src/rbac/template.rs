//! Roles that an organisation of some kind usually begins with, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of organisation whose roles are known.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Template {
    /// A school: administration, teachers, students.
    School,
    /// The upkeep of assets: planners, technicians, requesters.
    Maintenance,
    /// A plant: production, quality, stock.
    Manufacturing,
    /// Appointments with clients.
    Booking,
}

/// A role of a template.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplateRole {
    /// Its code; a role of that code that is there already stays as it is.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its place on the ladder.
    pub level: u16,
    /// What it is granted: names and patterns.
    pub permissions: &'static [&'static str],
    /// The codes of the roles it inherits from.
    pub juniors: &'static [&'static str],
}

/// A permission that a template needs and the catalogue may not have.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplatePermission {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The permissions that come with it.
    pub implies: &'static [&'static str],
}

impl Template {
    /// All templates.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Its roles, seniors first.
    pub fn roles(self) -> &'static [TemplateRole] {
        match self {
            Self::School => SCHOOL_ROLES,
            Self::Maintenance => MAINTENANCE_ROLES,
            Self::Manufacturing => MANUFACTURING_ROLES,
            Self::Booking => BOOKING_ROLES,
        }
    }

    /// The permissions it needs, those first that others imply.
    pub fn permissions(self) -> &'static [TemplatePermission] {
        match self {
            Self::School => SCHOOL_PERMISSIONS,
            Self::Maintenance => MAINTENANCE_PERMISSIONS,
            Self::Manufacturing => MANUFACTURING_PERMISSIONS,
            Self::Booking => BOOKING_PERMISSIONS,
        }
    }
}

const SCHOOL_ROLES: &[TemplateRole] = &[
    TemplateRole {
        code: "admin",
        name: "Administrator",
        description: "Runs the school.",
        level: 900,
        permissions: &[
            "identity.*:*",
            "rbac.*:*",
            "settings.*:*",
            "audit.trail:read",
            "exports.files:request",
            "notifications.messages:send",
            "school.*:*",
        ],
        juniors: &["manager"],
    },
    TemplateRole {
        code: "manager",
        name: "Manager",
        description: "Heads the school or a department of it.",
        level: 600,
        permissions: &[
            "school.students:manage",
            "school.timetable:manage",
            "school.fees:manage",
            "identity.users:read",
            "exports.files:request",
        ],
        juniors: &["teacher"],
    },
    TemplateRole {
        code: "teacher",
        name: "Teacher",
        description: "Teaches classes and keeps their records.",
        level: 300,
        permissions: &["school.attendance:record", "school.grades:record", "school.students:read"],
        juniors: &["student"],
    },
    TemplateRole {
        code: "student",
        name: "Student",
        description: "Attends classes.",
        level: 100,
        permissions: &["school.timetable:read", "school.grades:read", "school.attendance:read"],
        juniors: &[],
    },
    TemplateRole {
        code: "guardian",
        name: "Guardian",
        description: "Answers for a student.",
        level: 100,
        permissions: &[
            "school.timetable:read",
            "school.grades:read",
            "school.attendance:read",
            "school.fees:read",
        ],
        juniors: &[],
    },
    TemplateRole {
        code: "unit-admin",
        name: "Unit administrator",
        description: "What access of level admin to a unit means.",
        level: 60,
        permissions: &["school.*:*"],
        juniors: &["unit-write"],
    },
    TemplateRole {
        code: "unit-write",
        name: "Unit member",
        description: "What access of level write to a unit means.",
        level: 40,
        permissions: &["school.attendance:record", "school.grades:record"],
        juniors: &["unit-read"],
    },
    TemplateRole {
        code: "unit-read",
        name: "Unit reader",
        description: "What access of level read to a unit means.",
        level: 20,
        permissions: &["identity.organizations:read", "school.*:read"],
        juniors: &[],
    },
];

const SCHOOL_PERMISSIONS: &[TemplatePermission] = &[
    TemplatePermission { name: "school.students:read", description: "See students.", implies: &[] },
    TemplatePermission {
        name: "school.students:manage",
        description: "Enrol and change students.",
        implies: &["school.students:read"],
    },
    TemplatePermission {
        name: "school.timetable:read",
        description: "See the timetable.",
        implies: &[],
    },
    TemplatePermission {
        name: "school.timetable:manage",
        description: "Change the timetable.",
        implies: &["school.timetable:read"],
    },
    TemplatePermission {
        name: "school.attendance:read",
        description: "See attendance.",
        implies: &[],
    },
    TemplatePermission {
        name: "school.attendance:record",
        description: "Record attendance.",
        implies: &["school.attendance:read"],
    },
    TemplatePermission { name: "school.grades:read", description: "See grades.", implies: &[] },
    TemplatePermission {
        name: "school.grades:record",
        description: "Record grades.",
        implies: &["school.grades:read"],
    },
    TemplatePermission { name: "school.fees:read", description: "See fees.", implies: &[] },
    TemplatePermission {
        name: "school.fees:manage",
        description: "Raise and settle fees.",
        implies: &["school.fees:read"],
    },
];

const MAINTENANCE_ROLES: &[TemplateRole] = &[
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
        permissions: &["maintenance.requests:create"],
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

const MAINTENANCE_PERMISSIONS: &[TemplatePermission] = &[
    TemplatePermission {
        name: "maintenance.assets:read",
        description: "See assets.",
        implies: &[],
    },
    TemplatePermission {
        name: "maintenance.assets:manage",
        description: "Register and change assets.",
        implies: &["maintenance.assets:read"],
    },
    TemplatePermission { name: "maintenance.plans:read", description: "See plans.", implies: &[] },
    TemplatePermission {
        name: "maintenance.plans:manage",
        description: "Make and change plans.",
        implies: &["maintenance.plans:read"],
    },
    TemplatePermission { name: "maintenance.tasks:read", description: "See tasks.", implies: &[] },
    TemplatePermission {
        name: "maintenance.tasks:assign",
        description: "Assign tasks.",
        implies: &["maintenance.tasks:read"],
    },
    TemplatePermission {
        name: "maintenance.tasks:work",
        description: "Begin and complete tasks.",
        implies: &["maintenance.tasks:read"],
    },
    TemplatePermission {
        name: "maintenance.requests:read",
        description: "See requests.",
        implies: &[],
    },
    TemplatePermission {
        name: "maintenance.requests:create",
        description: "Make requests.",
        implies: &["maintenance.requests:read"],
    },
];

const MANUFACTURING_ROLES: &[TemplateRole] = &[
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

const MANUFACTURING_PERMISSIONS: &[TemplatePermission] = &[
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

const BOOKING_ROLES: &[TemplateRole] = &[
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

const BOOKING_PERMISSIONS: &[TemplatePermission] = &[
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
