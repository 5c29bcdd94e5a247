//! The rules of an access policy, by example.

mod exclusive;
mod inheritance;
mod permissions;
mod protected;
mod roles;
mod stored;
mod templates;

use std::sync::Arc;

use super::{Command, CreatePermission, CreateRole, Event, Facts, OWNER_LEVEL, Policy};
use super::{Rejection, RoleCreated};
use crate::aggregate::{Actor, ActorKind, Context, Decider};
use crate::ids::{RoleId, UserId};
use crate::rbac::user_access::{self, UserAccess};
use crate::testing::{Given, context, given, id};

const OWNER: u128 = 100;
const MANAGER: u128 = 101;
const CLERK: u128 = 102;
const READER: u128 = 103;

fn role(number: u128) -> RoleId {
    id(number)
}

fn text(words: &str) -> String {
    words.to_owned()
}

fn begun() -> Vec<Event> {
    vec![
        Event::Initialized { owner_role_id: role(OWNER) },
        Event::RoleCreated(RoleCreated {
            role_id: role(OWNER),
            name: text("Owner"),
            code: text("owner"),
            description: Some(text("May do everything in the organisation.")),
            level: OWNER_LEVEL,
            unit_id: None,
            system: true,
            protected: true,
        }),
        granted(OWNER, "*:*"),
    ]
}

fn created(number: u128, name: &str, level: u16) -> RoleCreated {
    RoleCreated {
        role_id: role(number),
        name: text(name),
        code: name.to_lowercase(),
        description: None,
        level,
        unit_id: None,
        system: false,
        protected: false,
    }
}

fn granted(number: u128, permission: &str) -> Event {
    Event::PermissionGranted { role_id: role(number), permission: text(permission) }
}

fn inherits(senior: u128, junior: u128) -> Event {
    Event::InheritanceAdded { senior_id: role(senior), junior_id: role(junior) }
}

fn holds(user: u128, number: u128) -> Event {
    let (user_id, role_id) = (id(user), role(number));
    Event::ProtectedRoleGranted { user_id, role_id, unit_id: None, expires_at: None }
}

/// An owner, held by user 9, over a manager over a clerk over a reader.
fn ladder() -> Vec<Event> {
    let roles = [
        Event::RoleCreated(created(MANAGER, "Manager", 500)),
        granted(MANAGER, "rbac.*:*"),
        Event::RoleCreated(created(CLERK, "Clerk", 100)),
        granted(CLERK, "exports.files:request"),
        Event::RoleCreated(created(READER, "Reader", 50)),
        granted(READER, "audit.trail:read"),
        inherits(MANAGER, CLERK),
        inherits(CLERK, READER),
        holds(9, OWNER),
    ];
    begun().into_iter().chain(roles).collect()
}

fn after(more: impl IntoIterator<Item = Event>) -> Given<Policy> {
    given::<Policy>(ladder().into_iter().chain(more))
}

/// What user 1 knows of the policy is what a manager does.
fn by_manager() -> Facts {
    let mut access = UserAccess::default();
    access.evolve(&user_access::Event::RoleAssigned {
        role_id: role(MANAGER),
        unit_id: None,
        expires_at: None,
    });
    Facts { actor_access: Arc::new(access), user_exists: true, ..Facts::default() }
}

fn by_nobody() -> Facts {
    Facts { actor_access: Arc::default(), ..by_manager() }
}

fn owner() -> Context {
    let actor = Actor { id: id::<UserId>(9).to_string(), ..context().actor };
    Context { actor, ..context() }
}

fn installation() -> Context {
    let actor = Actor { kind: ActorKind::System, id: text("set-up"), ..context().actor };
    Context { actor, ..context() }
}

/// The policy is changed by its manager, user 1.
fn manager_after(more: impl IntoIterator<Item = Event>) -> Given<Policy> {
    after(more).facts(by_manager())
}

/// The policy is changed by its owner, user 9.
fn owner_after(more: impl IntoIterator<Item = Event>) -> Given<Policy> {
    after(more).facts(Facts { user_exists: true, ..Facts::default() }).context(owner())
}

fn folded(events: impl IntoIterator<Item = Event>) -> Policy {
    let mut policy = Policy::default();
    for event in events {
        policy.evolve(&event);
    }
    policy
}

#[test]
fn the_installation_begins_a_policy_with_its_owner() {
    given::<Policy>([])
        .context(installation())
        .when(Command::Initialize { owner_role_id: role(OWNER) })
        .then(begun());
}

#[test]
fn a_policy_begins_once() {
    given::<Policy>(begun())
        .context(installation())
        .when(Command::Initialize { owner_role_id: role(7) })
        .refused(Rejection::PolicyExists);
}

#[test]
fn nobody_but_the_installation_begins_a_policy() {
    for kind in [ActorKind::User, ActorKind::Service] {
        let actor = Actor { kind, ..context().actor };
        given::<Policy>([])
            .context(Context { actor, ..context() })
            .when(Command::Initialize { owner_role_id: role(OWNER) })
            .refused(Rejection::PolicySetUpReserved);
    }
}

#[test]
fn nothing_is_changed_before_there_is_a_policy() {
    given::<Policy>([])
        .context(installation())
        .when(Command::DeleteRole { role_id: role(CLERK) })
        .refused(Rejection::PolicyAbsent);
}

fn new_role(number: u128, name: &str, level: u16) -> CreateRole {
    CreateRole {
        role_id: role(number),
        name: text(name),
        code: None,
        description: None,
        level,
        unit_id: None,
        protected: false,
        permissions: Vec::new(),
    }
}

fn new_permission(number: u128, name: &str, implies: &[&str]) -> CreatePermission {
    CreatePermission {
        permission_id: id(number),
        name: text(name),
        description: None,
        implies: implies.iter().map(|name| text(name)).collect(),
    }
}

fn made(number: u128, name: &str, implies: &[&str]) -> Event {
    Event::PermissionCreated {
        permission_id: id(number),
        name: text(name),
        description: None,
        implies: implies.iter().map(|name| text(name)).collect(),
    }
}
