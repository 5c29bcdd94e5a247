//! Whose a configuration is, which its stream's id says.

use crate::ids::{TenantId, UnitId, UserId};

/// What stands before the id of a user.
const USER: &str = "user:";

/// Whose a configuration is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// The organisation's.
    #[default]
    Organization,
    /// That of one of its units.
    Unit(UnitId),
    /// A user's own.
    User(UserId),
}

impl Scope {
    /// Whose the stream of this id is.
    pub fn of(tenant: TenantId, id: &str) -> Option<Self> {
        if let Some(user) = id.strip_prefix(USER) {
            return user.parse().ok().map(Self::User);
        }
        let unit: UnitId = id.parse().ok()?;
        Some(if unit.0 == tenant.0 { Self::Organization } else { Self::Unit(unit) })
    }

    /// The id of its stream.
    pub fn stream(self, tenant: TenantId) -> String {
        match self {
            Self::Organization => tenant.to_string(),
            Self::Unit(unit) => unit.to_string(),
            Self::User(user) => format!("{USER}{user}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn every_scope_is_known_by_its_stream() {
        let tenant = id(1);
        for scope in [Scope::Organization, Scope::Unit(id(2)), Scope::User(id(1))] {
            assert_eq!(Scope::of(tenant, &scope.stream(tenant)), Some(scope));
        }
        for nobodys in ["", "user:", "unit", "2026-01-01"] {
            assert_eq!(Scope::of(tenant, nobodys), None, "{nobodys}");
        }
    }
}
