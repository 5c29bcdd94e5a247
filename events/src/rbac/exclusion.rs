//! Static separation of duty: sets of roles of which nobody may have too many.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::resolve::Holder;
use super::user_access::UserAccess;
use crate::ids::{RoleId, UserId};

/// Roles that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusiveSet {
    /// Its name.
    pub name: String,
    /// The roles; those that were deleted are gone.
    pub roles: BTreeSet<RoleId>,
    /// Nobody may have as many of them, inherited ones included.
    pub cardinality: u16,
}

impl ExclusiveSet {
    /// Whether somebody who is authorised for these roles has too many of the set.
    pub fn is_breached_by(&self, authorized: &BTreeSet<RoleId>) -> bool {
        self.roles.intersection(authorized).count() >= usize::from(self.cardinality)
    }
}

/// The roles that somebody holds and all that these inherit from.
pub fn authorized(policy: &Policy, held: impl IntoIterator<Item = RoleId>) -> BTreeSet<RoleId> {
    let closures = held.into_iter().flat_map(|role_id| policy.closure(role_id));
    closures.map(|(role_id, _)| role_id).collect()
}

/// The first set of which somebody with these roles would have too many. Where the roles count does
/// not matter: whoever keeps the books of one unit and audits those of another can be asked to help.
pub fn breached(policy: &Policy, held: impl IntoIterator<Item = RoleId>) -> Option<&ExclusiveSet> {
    if policy.exclusive_sets().len() == 0 {
        return None;
    }
    let authorized = authorized(policy, held);
    policy.exclusive_sets().map(|(_, set)| set).find(|set| set.is_breached_by(&authorized))
}

/// The roles that somebody holds now, in whatever unit, by assignment or by grant of the policy.
pub fn held(
    policy: &Policy,
    user_id: UserId,
    access: &UserAccess,
    now: Timestamp,
) -> BTreeSet<RoleId> {
    let holder = Holder { policy, user_id, access, unit_path: &[], now };
    let live = holder.held().map(|(held, _)| held).filter(|held| held.is_live(now));
    live.map(|held| held.role_id).collect()
}
