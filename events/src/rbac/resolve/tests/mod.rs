//! Who may do what, by example, by the published hierarchy, and against a naive resolver.

mod example;
mod hierarchy;
mod naive;
mod traced;

use jiff::Timestamp;

use super::{Effective, Grounds, Holder, Lack, MAX_HINTS, Verdict, edition, service_allows};
use crate::aggregate::Decider;
use crate::ids::{RoleId, UnitId, UserId};
use crate::permission::Permission;
use crate::rbac::assignment::Assignment;
use crate::rbac::policy::{Event, Policy, RoleCreated};
use crate::rbac::user_access::{self, UserAccess};
use crate::testing::{at, context, id};

fn role(number: u128) -> RoleId {
    id(number)
}

fn created(number: u128, level: u16) -> RoleCreated {
    RoleCreated {
        role_id: role(number),
        name: format!("role {number}"),
        code: format!("role-{number}"),
        description: None,
        level,
        unit_id: None,
        system: false,
        protected: false,
    }
}

fn granted(number: u128, permission: &str) -> Event {
    Event::PermissionGranted { role_id: role(number), permission: permission.to_owned() }
}

fn inherits(senior: u128, junior: u128) -> Event {
    Event::InheritanceAdded { senior_id: role(senior), junior_id: role(junior) }
}

fn made(number: u128, name: &str, implies: &[&str]) -> Event {
    Event::PermissionCreated {
        permission_id: id(number),
        name: name.to_owned(),
        description: None,
        implies: implies.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn policy(events: impl IntoIterator<Item = Event>) -> Policy {
    let mut policy = Policy::default();
    for event in events {
        policy.evolve(&event);
    }
    policy
}

fn held(number: u128, unit_id: Option<UnitId>, expires_at: Option<Timestamp>) -> Assignment {
    Assignment { role_id: role(number), unit_id, expires_at }
}

fn access(assignments: impl IntoIterator<Item = Assignment>) -> UserAccess {
    let mut access = UserAccess::default();
    for Assignment { role_id, unit_id, expires_at } in assignments {
        access.evolve(&user_access::Event::RoleAssigned { role_id, unit_id, expires_at });
    }
    access
}

/// User 1 of the organisation as a whole, at the usual moment.
fn holder<'a>(policy: &'a Policy, access: &'a UserAccess) -> Holder<'a> {
    Holder { policy, user_id: id(1), access, unit_path: &[], now: context().now }
}

fn names(effective: &Effective) -> Vec<String> {
    effective.names().iter().map(ToString::to_string).collect()
}
