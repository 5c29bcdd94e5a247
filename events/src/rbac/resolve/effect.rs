//! What a change of access would come to: how many people gain and lose, and the first of them by name.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::review::{Difference, Held};
use crate::ids::{RoleId, UserId};
use crate::rbac::policy::Policy;

/// The most users that an effect names.
pub const MAX_NAMED: usize = 100;

/// The most permissions that it names of each.
pub const MAX_HELD: usize = 50;

/// What a change of access comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// In words, for example `+3 people gain, 1 loses`.
    pub summary: String,
    /// How many people gain something.
    pub gaining: usize,
    /// How many people lose something.
    pub losing: usize,
    /// The first of them, where the caller may see who holds which role.
    pub users: Vec<Affected>,
    /// Whether everybody was looked at.
    pub complete: bool,
}

/// What one person gains and loses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Affected {
    /// Who.
    pub user_id: UserId,
    /// How many permissions are gained.
    pub gained_count: usize,
    /// How many permissions are lost.
    pub lost_count: usize,
    /// The first of what is gained.
    pub gains: Vec<Held>,
    /// The first of what is lost.
    pub loses: Vec<Held>,
}

impl Effect {
    /// On nobody yet.
    pub fn none() -> Self {
        Self { complete: true, ..Self::default() }.told()
    }

    /// Counts one person in.
    pub fn add(&mut self, user_id: UserId, difference: Difference) {
        let Difference { mut gained, mut lost } = difference;
        if gained.is_empty() && lost.is_empty() {
            return;
        }
        self.gaining += usize::from(!gained.is_empty());
        self.losing += usize::from(!lost.is_empty());
        if self.users.len() < MAX_NAMED {
            let (gained_count, lost_count) = (gained.len(), lost.len());
            gained.truncate(MAX_HELD);
            lost.truncate(MAX_HELD);
            let (gains, loses) = (gained, lost);
            self.users.push(Affected { user_id, gained_count, lost_count, gains, loses });
        }
    }

    /// With its summary in words.
    #[must_use]
    pub fn told(mut self) -> Self {
        let (people, gain) =
            if self.gaining == 1 { ("person", "gains") } else { ("people", "gain") };
        let lose = if self.losing == 1 { "loses" } else { "lose" };
        self.summary = format!("+{} {people} {gain}, {} {lose}", self.gaining, self.losing);
        self
    }
}

/// Whom a change of the policy can touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The roles that mean something else now, themselves or through what they inherit; all of them when absent.
    pub roles: Option<BTreeSet<RoleId>>,
    /// The users whose grants by the policy itself changed.
    pub users: BTreeSet<UserId>,
}

impl Reach {
    /// Of the change from one policy to another.
    pub fn of(before: &Policy, after: &Policy) -> Self {
        let holders = before.protected_holders().chain(after.protected_holders());
        let users: BTreeSet<UserId> = holders
            .map(|(user, _)| user)
            .filter(|user| before.protected_grants(*user) != after.protected_grants(*user))
            .collect();
        if before.custom_permissions() != after.custom_permissions() {
            return Self { roles: None, users }; // a pattern or an implication can reach it from anywhere
        }
        let all: BTreeSet<RoleId> = before.roles().chain(after.roles()).map(|(id, _)| id).collect();
        let changed = all.iter().copied().filter(|id| before.role(*id) != after.role(*id));
        let mut roles: BTreeSet<RoleId> = BTreeSet::new();
        let mut open: Vec<RoleId> = changed.collect();
        while let Some(id) = open.pop() {
            if roles.insert(id) {
                let of = [before.role(id), after.role(id)].into_iter().flatten();
                open.extend(of.flat_map(|role| role.seniors.iter().copied()));
            }
        }
        Self { roles: Some(roles), users }
    }

    /// Whether somebody who holds these roles can be touched.
    pub fn touches(&self, user: UserId, held: impl IntoIterator<Item = RoleId>) -> bool {
        let touched = |id: RoleId| self.roles.as_ref().is_none_or(|roles| roles.contains(&id));
        self.users.contains(&user) || held.into_iter().any(touched)
    }

    /// Whether nobody can be touched.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.roles.as_ref().is_some_and(BTreeSet::is_empty)
    }
}
