//! Since when what an answer rests on has been so: facts of the streams, and the events that made and ended them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Grounds, Lack, Verdict};
use crate::aggregate::Decider;
use crate::identity::user::{self, Status, User};
use crate::ids::{RoleId, UnitId, UserId};
use crate::rbac::assignment::Assignment;
use crate::rbac::name;
use crate::rbac::policy::{self, Policy};
use crate::rbac::user_access::{self, UserAccess};

/// Something that an answer rests on, and that one event made so.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The user holds the role.
    Assigned {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counts; everywhere when absent.
        unit_id: Option<UnitId>,
        /// Whether by grant of the policy itself.
        protected: bool,
    },
    /// The user holds the role until then.
    Ends {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counts; everywhere when absent.
        unit_id: Option<UnitId>,
        /// Whether by grant of the policy itself.
        protected: bool,
        /// Until when.
        expires_at: Timestamp,
    },
    /// The one role has all that the other may.
    Inherits {
        /// The role that inherits.
        senior_id: RoleId,
        /// The role it inherits from.
        junior_id: RoleId,
    },
    /// The role itself is granted this.
    Granted {
        /// The role.
        role_id: RoleId,
        /// The name or pattern.
        permission: String,
    },
    /// The one permission brings the other.
    Implies {
        /// The permission.
        permission: String,
        /// What comes with it.
        implied: String,
    },
    /// The permission is one of the organisation's own, and not retired.
    Known {
        /// The permission.
        permission: String,
    },
    /// The account may be used.
    Active {
        /// The user.
        user_id: UserId,
    },
}

/// The events, by position, that made a fact so and not so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Whether it is so in the end.
    pub holds: bool,
    /// The latest event that made it so.
    pub made: Option<i64>,
    /// The latest event that ended it.
    pub ended: Option<i64>,
}

/// An event of a stream that facts are read off.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// To the organisation's policy.
    Policy(policy::Event),
    /// To somebody's roles.
    Access(UserId, user_access::Event),
    /// To somebody's account.
    User(UserId, user::Event),
}

/// What a trace has to read: it finds every event that one of the facts can hang on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needles {
    /// The roles and permissions that the policy's events name.
    pub policy: BTreeSet<Uuid>,
    /// The roles and units that events of users' roles name.
    pub places: BTreeSet<Uuid>,
    /// The users whose roles are asked for.
    pub accesses: BTreeSet<UserId>,
    /// The users whose accounts are asked for.
    pub accounts: BTreeSet<UserId>,
}

/// Folds the streams once more and watches facts while they change.
///
/// It suffices to show it the events that the facts' [`Needles`] find.
#[derive(Debug, Default)]
pub struct Trace {
    of_policy: Watched,
    of_access: BTreeMap<UserId, Watched>,
    of_user: BTreeMap<UserId, Watched>,
    policy: Policy,
    access: BTreeMap<UserId, UserAccess>,
    users: BTreeMap<UserId, User>,
}

type Watched = BTreeMap<Fact, Mark>;

impl Happened {
    /// Reads an event of one of the streams; nothing where it is of another.
    pub fn read(kind: &str, id: &str, payload: &str) -> Result<Option<Self>, serde_json::Error> {
        let user = || id.parse().unwrap_or_default();
        Ok(match kind {
            Policy::TYPE => Some(Self::Policy(serde_json::from_str(payload)?)),
            UserAccess::TYPE => Some(Self::Access(user(), serde_json::from_str(payload)?)),
            User::TYPE => Some(Self::User(user(), serde_json::from_str(payload)?)),
            _ => None,
        })
    }
}

impl Verdict {
    /// The facts that the answer rests on, as far as there are any.
    pub fn facts(&self, policy: &Policy, user_id: UserId) -> Vec<Fact> {
        match self {
            Self::Allow(grounds) => grounds.facts(user_id),
            Self::Deny { missing } => {
                let of = |lack: &Lack| lack.facts(policy, user_id);
                missing.iter().flat_map(of).collect()
            }
        }
    }
}

impl Grounds {
    /// The facts that they consist of: the assignment, the way from role to role, the grant, what it implies.
    pub fn facts(&self, user_id: UserId) -> Vec<Fact> {
        let mut facts = held(user_id, &self.assignment, self.protected);
        let ways = self.role_path.windows(2);
        facts.extend(ways.filter_map(|pair| match pair {
            [senior_id, junior_id] => {
                Some(Fact::Inherits { senior_id: *senior_id, junior_id: *junior_id })
            }
            _ => None,
        }));
        let permission = self.granted.clone();
        facts.extend(self.role_path.last().map(|role_id| {
            let role_id = *role_id;
            Fact::Granted { role_id, permission }
        }));
        facts.extend(self.implied.windows(2).filter_map(|pair| match pair {
            [permission, implied] => {
                let (permission, implied) = (permission.clone(), implied.clone());
                Some(Fact::Implies { permission, implied })
            }
            _ => None,
        }));
        let own = |name: &&String| name::catalogue(name).is_none();
        facts.extend(self.implied.iter().filter(own).map(|name| known(name)));
        facts
    }
}

fn known(permission: &str) -> Fact {
    Fact::Known { permission: permission.to_owned() }
}

impl Lack {
    fn facts(&self, policy: &Policy, user_id: UserId) -> Vec<Fact> {
        match self {
            Self::Expired { assignment } | Self::ElsewhereOnly { assignment, .. } => {
                let grants = policy.protected_grants(user_id);
                held(user_id, assignment, grants.contains(assignment))
            }
            Self::PermissionRetired { permission } => vec![known(permission)],
            Self::UserDeactivated => vec![Fact::Active { user_id }],
            Self::PermissionUnknown
            | Self::NotGranted { .. }
            | Self::UserUnknown
            | Self::UnitUnknown
            | Self::BeyondKey => Vec::new(),
        }
    }
}

/// That somebody holds a role, and until when.
fn held(user_id: UserId, of: &Assignment, protected: bool) -> Vec<Fact> {
    let Assignment { role_id, unit_id, expires_at } = *of;
    let assigned = Fact::Assigned { user_id, role_id, unit_id, protected };
    let ends = expires_at.map(|expires_at| Fact::Ends {
        user_id,
        role_id,
        unit_id,
        protected,
        expires_at,
    });
    [assigned].into_iter().chain(ends).collect()
}

impl Fact {
    /// Whether the policy has a say in it, and whose roles or account.
    pub fn hangs_on(&self) -> (bool, Option<UserId>) {
        match self {
            Self::Assigned { user_id, unit_id, protected, .. }
            | Self::Ends { user_id, unit_id, protected, .. } => {
                (*protected || unit_id.is_some(), (!protected).then_some(*user_id))
            }
            Self::Inherits { .. }
            | Self::Granted { .. }
            | Self::Implies { .. }
            | Self::Known { .. } => (true, None),
            Self::Active { user_id } => (false, Some(*user_id)),
        }
    }
}

impl Needles {
    /// What finds the events of these facts.
    pub fn of<'f>(policy: &Policy, facts: impl IntoIterator<Item = &'f Fact>) -> Self {
        let mut needles = Self::default();
        for fact in facts {
            needles.add(policy, fact);
        }
        needles
    }

    fn add(&mut self, policy: &Policy, fact: &Fact) {
        let (of_policy, user) = fact.hangs_on();
        match fact {
            Fact::Assigned { role_id, unit_id, .. } | Fact::Ends { role_id, unit_id, .. } => {
                // Access to a unit names the unit, not the role that it amounts to.
                self.places.extend([Some(role_id.0), unit_id.map(|unit| unit.0)].iter().flatten());
                self.policy.extend(of_policy.then_some(role_id.0));
                self.accesses.extend(user);
            }
            Fact::Inherits { senior_id, junior_id } => {
                self.policy.extend([senior_id.0, junior_id.0]);
            }
            Fact::Granted { role_id, .. } => self.policy.extend([role_id.0]),
            Fact::Known { permission } | Fact::Implies { permission, .. } => {
                let made = policy.custom_permission(permission);
                self.policy.extend(made.map(|made| made.permission_id.0));
            }
            Fact::Active { .. } => self.accounts.extend(user),
        }
    }
}

impl Trace {
    /// Watches these facts from before anything has happened.
    pub fn new(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut trace = Self::default();
        for fact in facts {
            let watched = match &fact {
                Fact::Assigned { user_id, protected: false, .. }
                | Fact::Ends { user_id, protected: false, .. } => {
                    trace.of_access.entry(*user_id).or_default()
                }
                Fact::Active { user_id } => trace.of_user.entry(*user_id).or_default(),
                Fact::Assigned { .. }
                | Fact::Ends { .. }
                | Fact::Inherits { .. }
                | Fact::Granted { .. }
                | Fact::Implies { .. }
                | Fact::Known { .. } => &mut trace.of_policy,
            };
            watched.insert(fact, Mark::default());
        }
        trace
    }

    /// Takes in the next event of the log.
    pub fn add(&mut self, position: i64, event: &Happened) {
        match event {
            Happened::Policy(event) => {
                self.policy.evolve(event);
                mark(&mut self.of_policy, position, |fact| in_policy(&self.policy, fact));
            }
            Happened::Access(user, event) => {
                let access = self.access.entry(*user).or_default();
                access.evolve(event);
                if let Some(watched) = self.of_access.get_mut(user) {
                    mark(watched, position, |fact| in_access((&self.policy, access), fact));
                }
            }
            Happened::User(id, event) => {
                let user = self.users.entry(*id).or_default();
                user.evolve(event);
                if let Some(watched) = self.of_user.get_mut(id) {
                    mark(watched, position, |_| user.status == Status::Active);
                }
            }
        }
    }

    /// What became of the facts.
    pub fn finish(self) -> BTreeMap<Fact, Mark> {
        let users = self.of_access.into_values().chain(self.of_user.into_values());
        users.chain([self.of_policy]).flatten().collect()
    }
}

fn mark(watched: &mut Watched, position: i64, holds: impl Fn(&Fact) -> bool) {
    for (fact, mark) in watched {
        let now = holds(fact);
        match (mark.holds, now) {
            (false, true) => mark.made = Some(position),
            (true, false) => mark.ended = Some(position),
            (false, false) | (true, true) => {}
        }
        mark.holds = now;
    }
}

fn in_policy(policy: &Policy, fact: &Fact) -> bool {
    match fact {
        Fact::Assigned { user_id, role_id, unit_id, .. } => {
            policy.protected_grants(*user_id).iter().any(|held| held.is_of(*role_id, *unit_id))
        }
        Fact::Ends { user_id, role_id, unit_id, expires_at, .. } => {
            let ends = Some(*expires_at);
            let is = |held: &Assignment| held.is_of(*role_id, *unit_id) && held.expires_at == ends;
            policy.protected_grants(*user_id).iter().any(is)
        }
        Fact::Inherits { senior_id, junior_id } => {
            policy.role(*senior_id).is_some_and(|role| role.juniors.contains(junior_id))
        }
        Fact::Granted { role_id, permission } => {
            policy.role(*role_id).is_some_and(|role| role.grants.contains(permission))
        }
        Fact::Implies { permission, implied } => {
            let made = policy.custom_permission(permission);
            made.is_some_and(|made| made.implies.iter().any(|name| **name == **implied))
        }
        Fact::Known { permission } => policy.knows(permission),
        Fact::Active { .. } => false, // of an account, not of the policy
    }
}

/// What a user holds of a role somewhere, by assignment or by access to the unit.
fn held_there(
    (policy, access): (&Policy, &UserAccess),
    role_id: RoleId,
    unit_id: Option<UnitId>,
) -> Option<Assignment> {
    let by_unit = access.units().iter().filter_map(|unit| unit.assignment(policy));
    let mut held = access.assignments().iter().copied().chain(by_unit);
    held.find(|held| held.is_of(role_id, unit_id))
}

fn in_access((policy, access): (&Policy, &UserAccess), fact: &Fact) -> bool {
    match fact {
        Fact::Assigned { role_id, unit_id, .. } => {
            held_there((policy, access), *role_id, *unit_id).is_some()
        }
        Fact::Ends { role_id, unit_id, expires_at, .. } => {
            let held = held_there((policy, access), *role_id, *unit_id);
            held.is_some_and(|held| held.expires_at == Some(*expires_at))
        }
        Fact::Inherits { .. }
        | Fact::Granted { .. }
        | Fact::Implies { .. }
        | Fact::Known { .. }
        | Fact::Active { .. } => false, // of the policy or an account
    }
}
