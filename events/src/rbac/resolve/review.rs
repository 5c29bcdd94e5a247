//! What somebody, or a role, may do at one moment and not at another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::Fact;
use super::{Grounds, Holder, Lack, Verdict};
use crate::identity::organization::Organization;
use crate::identity::user::Status;
use crate::ids::{RoleId, UnitId, UserId};
use crate::rbac::policy::Policy;
use crate::rbac::user_access::UserAccess;

/// A permission as somebody has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The permission.
    pub permission: Arc<str>,
    /// Where, units below included; everywhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<UnitId>,
}

/// What was gained and lost between two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What is had now and was not before.
    pub gained: Vec<Held>,
    /// What was had before and is not now.
    pub lost: Vec<Held>,
}

/// A user as everything that decides on access saw them at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The user.
    pub user_id: UserId,
    /// Their account.
    pub status: Status,
    /// Their roles.
    pub access: &'a UserAccess,
    /// The organisation's policy.
    pub policy: &'a Policy,
    /// The organisation with its units.
    pub organization: &'a Organization,
    /// The moment.
    pub now: Timestamp,
}

impl Difference {
    /// Whether nothing was gained and nothing lost.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

impl Person<'_> {
    /// Whether the account may be used.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Whether the person may, at a unit or in the organisation as a whole, and why or why not.
    pub fn explain(&self, permission: &str, unit_id: Option<UnitId>) -> Verdict {
        let path = self.path(unit_id);
        let lack = match self.status {
            Status::Absent => Some(Lack::UserUnknown),
            Status::Deactivated | Status::Erased => Some(Lack::UserDeactivated),
            Status::Active if unit_id.is_some() && path.is_empty() => Some(Lack::UnitUnknown),
            Status::Active => None,
        };
        match lack {
            Some(lack) => Verdict::Deny { missing: vec![lack] },
            None => self.holder(&path).explain(permission),
        }
    }

    /// Units in which the person may; also in all units below each, and in no others unless everywhere.
    pub fn units_permitting(&self, permission: &str) -> BTreeSet<UnitId> {
        let units = self.units().into_iter();
        units.filter(|unit| self.explain(permission, Some(*unit)).is_allowed()).collect()
    }

    /// Everything the person may do in the organisation as a whole, and in each unit that makes a difference.
    pub fn holdings(&self) -> BTreeSet<Held> {
        self.at(&self.units())
    }

    /// What one had before and has now; `before` is the same person earlier.
    pub fn since(&self, before: &Self) -> Difference {
        // Asked at the same places, for a place of its own may have been covered by another before.
        let units: BTreeSet<_> = self.units().union(&before.units()).copied().collect();
        let (had, has) = (before.at(&units), self.at(&units));
        let gained: BTreeSet<_> = has.difference(&had).cloned().collect();
        let lost: BTreeSet<_> = had.difference(&has).cloned().collect();
        Difference { gained: self.widest(&gained), lost: before.widest(&lost) }
    }

    fn at(&self, units: &BTreeSet<UnitId>) -> BTreeSet<Held> {
        if self.status != Status::Active {
            return BTreeSet::new();
        }
        let places = units.iter().map(|unit| (Some(*unit), self.path(Some(*unit))));
        let places = places.filter(|(_, path)| !path.is_empty()).chain([(None, Vec::new())]);
        places
            .flat_map(|(unit_id, path)| {
                let names = self.holder(&path).effective().names().into_iter();
                names.map(move |permission| Held { permission, unit_id })
            })
            .collect()
    }

    /// Without what another of them, in a unit above or everywhere, says already.
    fn widest(&self, all: &BTreeSet<Held>) -> Vec<Held> {
        let said = |held: &Held| {
            let Some(unit) = held.unit_id else { return false };
            let above = self.organization.path(unit).into_iter().skip(1).map(Some);
            let permission = &held.permission;
            let wider = |unit_id| Held { permission: Arc::clone(permission), unit_id };
            above.chain([None]).any(|unit_id| all.contains(&wider(unit_id)))
        };
        all.iter().filter(|held| !said(held)).cloned().collect()
    }

    /// The facts on every way by which the person may; ended, one of them explains a loss.
    pub fn ways(&self, held: &Held) -> Vec<Fact> {
        let path = self.path(held.unit_id);
        let ways = self.holder(&path).ways(&held.permission);
        let facts = ways.iter().flat_map(|grounds: &Grounds| grounds.facts(self.user_id));
        facts.chain([Fact::Active { user_id: self.user_id }]).collect()
    }

    /// Every role the person holds or reaches, whether it counts or not.
    pub fn roles(&self) -> BTreeSet<RoleId> {
        let held: Vec<_> = self.holder(&[]).held().map(|(held, _)| held).collect();
        held.into_iter()
            .flat_map(|held| self.policy.closure(held.role_id))
            .map(|(id, _)| id)
            .collect()
    }

    /// The units to which an assignment or a role on the way is bound.
    fn units(&self) -> BTreeSet<UnitId> {
        let held: Vec<_> = self.holder(&[]).held().map(|(held, _)| held).collect();
        let roles = held.iter().flat_map(|held| self.policy.closure(held.role_id));
        let of_roles = roles.filter_map(|(_, role)| role.facts.unit_id);
        held.iter().filter_map(|held| held.unit_id).chain(of_roles).collect()
    }

    fn path(&self, unit_id: Option<UnitId>) -> Vec<UnitId> {
        unit_id.map(|unit| self.organization.path(unit)).unwrap_or_default()
    }

    fn holder<'p>(&'p self, unit_path: &'p [UnitId]) -> Holder<'p> {
        let Self { policy, user_id, access, now, .. } = *self;
        Holder { policy, user_id, access, unit_path, now }
    }
}

/// What a role may do, by itself and by inheritance: names and patterns, each with the nearest role that is granted it.
pub fn granted(policy: &Policy, role_id: RoleId) -> BTreeMap<Arc<str>, RoleId> {
    let mut found = BTreeMap::new();
    for (from, role) in policy.closure(role_id) {
        for grant in role.grants.iter() {
            found.entry(Arc::clone(grant)).or_insert(from); // the closure comes nearest first
        }
    }
    found
}

/// The facts by which a role has what another, that it inherits from, is granted.
pub fn way_to(policy: &Policy, role_id: RoleId, from: RoleId, grant: &str) -> Vec<Fact> {
    let mut seniors: BTreeMap<RoleId, RoleId> = BTreeMap::new();
    for (senior, role) in policy.closure(role_id) {
        for junior in &role.juniors {
            seniors.entry(*junior).or_insert(senior);
        }
    }
    let mut facts = vec![Fact::Granted { role_id: from, permission: grant.to_owned() }];
    let mut at = from;
    while at != role_id
        && let Some(senior) = seniors.get(&at)
    {
        facts.push(Fact::Inherits { senior_id: *senior, junior_id: at });
        at = *senior;
    }
    facts
}
