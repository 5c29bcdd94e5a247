//! The roles of a school.

use super::{TemplatePermission, TemplateRole};

pub(super) const ROLES: &[TemplateRole] = &[
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

pub(super) const PERMISSIONS: &[TemplatePermission] = &[
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
