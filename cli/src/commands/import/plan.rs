//! What a matrix comes to: permissions of our own, one role per distinct permission set, and who gets which; every id follows from the names.

use std::collections::HashMap;

use events::rbac::name;
use events::rbac::policy::MAX_GRANTS;
use events::text;
use events::{PermissionId, RoleId, TenantId, UserId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::matrix::Matrix;

/// What the codes of imported roles begin with.
pub(super) const CODE_PREFIX: &str = "import-";

/// All that must be there at the end.
#[derive(Debug)]
pub(super) struct Plan {
    /// Every permission of the matrix, by name.
    pub(super) permissions: Vec<String>,
    /// One role per distinct set.
    pub(super) roles: Vec<Role>,
    /// Handles, and the place of each user's role.
    pub(super) users: Vec<(String, usize)>,
}

/// A role that stands for one set of permissions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Role {
    /// The first 16 hexadecimal digits of the SHA-256 of the set's names, sorted, one per line.
    digest: String,
    /// Places among the permissions, in order.
    permissions: Vec<u32>,
}

impl Role {
    pub(super) fn code(&self) -> String {
        format!("{CODE_PREFIX}{}", self.digest)
    }

    pub(super) fn name(&self) -> String {
        format!("import {}", self.digest)
    }
}

impl Plan {
    /// Makes the plan; only a set too large for a role stands in its way.
    pub(super) fn of(matrix: Matrix) -> Result<Self, String> {
        let Matrix { permissions, users } = matrix;
        let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut roles = Vec::new();
        let mut assigned = Vec::with_capacity(users.len());
        for user in users.into_iter().filter(|user| !user.permissions.is_empty()) {
            if user.permissions.len() > MAX_GRANTS {
                let (handle, has) = (user.handle, user.permissions.len());
                return Err(format!(
                    "user \"{handle}\" has {has} permissions; a role holds at most {MAX_GRANTS}"
                ));
            }
            let place = *places.entry(user.permissions).or_insert_with_key(|set| {
                roles.push(Role { digest: digest(&permissions, set), permissions: set.clone() });
                roles.len() - 1
            });
            assigned.push((user.handle, place));
        }
        Ok(Self { permissions, roles, users: assigned })
    }

    /// The names that a role is granted, sorted.
    pub(super) fn granted(&self, role: &Role) -> Vec<&str> {
        sorted(&self.permissions, &role.permissions)
    }

    /// The places of a user's permissions, in order.
    pub(super) fn places_of(&self, user: usize) -> &[u32] {
        let role = self.users.get(user).and_then(|(_, role)| self.roles.get(*role));
        role.map(|role| role.permissions.as_slice()).unwrap_or_default()
    }

    /// How many pairs of a user and a permission it comes to.
    pub(super) fn pairs(&self) -> usize {
        (0..self.users.len()).map(|user| self.places_of(user).len()).sum()
    }

    /// The permissions that are not of the catalogue, so that somebody has to create them.
    pub(super) fn own_permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().map(String::as_str).filter(|name| !name::is_reserved(name))
    }
}

fn sorted<'a>(names: &'a [String], set: &[u32]) -> Vec<&'a str> {
    let mut granted: Vec<&str> = set.iter().map(|place| names[*place as usize].as_str()).collect();
    granted.sort_unstable();
    granted
}

fn digest(names: &[String], set: &[u32]) -> String {
    let digest = Sha256::digest(sorted(names, set).join("\n"));
    hex::encode(&digest[..8])
}

/// The ids of one organisation's import: the same names are the same ids, whoever imports, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids(pub(super) TenantId);

impl Ids {
    pub(super) fn user(self, handle: &str) -> UserId {
        self.of(&format!("user/{}", text::fold(handle))).into()
    }

    pub(super) fn permission(self, name: &str) -> PermissionId {
        self.of(&format!("permission/{name}")).into()
    }

    /// The id of a deleted role is never free again; its successor is of the next generation.
    pub(super) fn role(self, code: &str, generation: u32) -> RoleId {
        self.of(&format!("role/{code}/{generation}")).into()
    }

    fn of(self, text: &str) -> Uuid {
        Uuid::new_v5(&self.0.0, format!("import/{text}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::matrix::of_text;
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::of(of_text(text.as_bytes()).0).unwrap()
    }

    #[test]
    fn users_with_the_same_set_share_a_role() {
        let plan = plan("a 1\na 2\nb 2\nb 1\nc 1\n");
        assert_eq!(plan.roles.len(), 2);
        assert_eq!(plan.users, [("a".into(), 0), ("b".into(), 0), ("c".into(), 1)]);
        assert_eq!(plan.granted(&plan.roles[0]), ["access.1:use", "access.2:use"]);
    }

    #[test]
    fn a_role_is_named_after_its_set_whatever_the_order_of_the_lines() {
        let (one, other) = (plan("a 1\na 2\n"), plan("x 9\nb 2\nb 1\n"));
        assert_eq!(one.roles[0].code(), other.roles[1].code());
        let digest = hex::encode(&Sha256::digest("access.1:use\naccess.2:use")[..8]);
        assert_eq!(one.roles[0].code(), format!("import-{digest}"));
        assert_eq!(one.roles[0].name(), format!("import {digest}"));
    }

    #[test]
    fn permissions_of_the_catalogue_are_not_created() {
        let plan = plan("a rbac.roles:read\na 1\n");
        assert_eq!(plan.own_permissions().collect::<Vec<_>>(), ["access.1:use"]);
    }

    #[test]
    fn a_set_too_large_for_a_role_is_refused_by_the_name_of_its_user() {
        let lines: Vec<String> = (0..=MAX_GRANTS).map(|number| format!("anna {number}")).collect();
        let error = Plan::of(of_text(lines.join("\n").as_bytes()).0).unwrap_err();
        assert!(error.contains("anna") && error.contains("10001"), "{error}");
    }

    #[test]
    fn ids_follow_from_names_and_differ_between_organisations() {
        let ids = Ids(TenantId(Uuid::from_u128(1)));
        assert_eq!(ids.user("Anna"), ids.user("anna"), "handles are compared without case");
        assert_ne!(ids.user("anna").0, Ids(TenantId(Uuid::from_u128(2))).user("anna").0);
        assert_ne!(ids.role("import-1", 0), ids.role("import-1", 1));
        assert_ne!(ids.user("1").0, ids.permission("1").0);
    }

    proptest! {
        #[test]
        fn the_plan_gives_everybody_exactly_their_pairs(
            pairs in prop::collection::vec((0..12_u8, 0..12_u8), 0..80)
        ) {
            let text: String = pairs
                .iter()
                .flat_map(|(user, p)| ["u".into(), user.to_string(), " p".into(), p.to_string(), "\n".into()])
                .collect();
            let plan = plan(&text);
            let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (user, p) in &pairs {
                wanted.entry(format!("u{user}")).or_default().insert(format!("access.p{p}:use"));
            }
            let given: BTreeMap<String, BTreeSet<String>> = plan.users.iter().map(|(handle, role)| {
                let granted = plan.granted(&plan.roles[*role]);
                (handle.clone(), granted.into_iter().map(str::to_owned).collect())
            }).collect();
            prop_assert_eq!(&given, &wanted);
            let sets: BTreeSet<_> = wanted.values().collect();
            prop_assert_eq!(plan.roles.len(), sets.len());
            let codes: BTreeSet<_> = plan.roles.iter().map(Role::code).collect();
            prop_assert_eq!(codes.len(), plan.roles.len());
        }
    }
}
