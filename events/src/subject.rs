//! What files and comments can be about, and what it takes to read them through that: whoever may see the one may read the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::UserId;
use crate::permission::Permission;

/// A kind of record that files and comments can be about, by the name of its stream.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::VariantArray,
    strum::IntoStaticStr,
    strum::EnumString,
)]
pub enum SubjectKind {
    /// The organisation itself.
    #[serde(rename = "identity.organization")]
    #[strum(serialize = "identity.organization")]
    Organization,
    /// A user, who may read what is about them.
    #[serde(rename = "identity.user")]
    #[strum(serialize = "identity.user")]
    User,
    /// A role.
    #[serde(rename = "rbac.role")]
    #[strum(serialize = "rbac.role")]
    Role,
    /// An export.
    #[serde(rename = "exports.export")]
    #[strum(serialize = "exports.export")]
    Export,
    /// A backup.
    #[serde(rename = "backups.backup")]
    #[strum(serialize = "backups.backup")]
    Backup,
    /// A trigger.
    #[serde(rename = "scheduling.trigger")]
    #[strum(serialize = "scheduling.trigger")]
    Trigger,
    /// An asset.
    #[serde(rename = "maintenance.asset")]
    #[strum(serialize = "maintenance.asset")]
    Asset,
    /// A task.
    #[serde(rename = "maintenance.task")]
    #[strum(serialize = "maintenance.task")]
    Task,
}

impl SubjectKind {
    /// Every kind.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The permission to see every record of the kind, everywhere in the organisation.
    pub fn read_permission(self) -> Permission {
        match self {
            Self::Organization => Permission::IdentityOrganizationsRead,
            Self::User => Permission::IdentityUsersRead,
            Self::Role => Permission::RbacRolesRead,
            Self::Export => Permission::ExportsFilesReadAll,
            Self::Backup => Permission::BackupsArchivesRead,
            Self::Trigger => Permission::SchedulingTriggersRead,
            Self::Asset => Permission::MaintenanceAssetsRead,
            Self::Task => Permission::MaintenanceTasksRead,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A record that files and comments can be about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: SubjectKind,
    /// Its id.
    pub id: Uuid,
}

impl Subject {
    /// Whether it is this user.
    pub fn is_user(&self, user: UserId) -> bool {
        self.kind == SubjectKind::User && self.id == user.0
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.id)
    }
}

/// A text that names no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "subject must be a type and an id, such as identity.user:0190d0c8-7e34-7c51-9c2e-000000000001"
)]
pub struct NoSubject;

impl std::str::FromStr for Subject {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let (kind, id) = text.split_once(':').ok_or(NoSubject)?;
        let kind = kind.parse().map_err(|_| NoSubject)?;
        Ok(Self { kind, id: id.parse().map_err(|_| NoSubject)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for kind in SubjectKind::ALL {
            let subject = Subject { kind: *kind, id: id(4) };
            assert_eq!(subject.to_string().parse(), Ok(subject));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for none in ["", "identity.user", "identity.user:", "nobody:1", ":", "rbac.role:x"] {
            assert_eq!(none.parse::<Subject>(), Err(NoSubject), "{none}");
        }
    }
}
