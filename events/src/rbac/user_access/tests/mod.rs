//! The rules of a user's roles, by example.

mod ends;
mod taking;
mod units;

use std::sync::Arc;

use jiff::Timestamp;

use super::{Command, Event, Facts, MAX_ASSIGNMENTS, Rejection, UserAccess};
use crate::aggregate::{Actor, ActorKind, Context, Decider};
use crate::ids::{RoleId, UnitId, UserId};
use crate::rbac::policy::{self, OWNER_LEVEL, Policy, RoleCreated};
use crate::rbac::resolve::Holder;
use crate::rbac::unit_access::{Level, UnitAccess};
use crate::testing::{at, context, frozen, given, id};
use crate::text;

const OWNER: u128 = 100;
const MANAGER: u128 = 101;
const CLERK: u128 = 102;
const READER: u128 = 103;
const WIDE: u128 = 104;

fn role(number: u128) -> RoleId {
    id(number)
}

fn north() -> UnitId {
    id(200)
}

fn made(number: u128, level: u16) -> policy::Event {
    policy::Event::RoleCreated(RoleCreated {
        role_id: role(number),
        name: format!("role {number}"),
        code: format!("role-{number}"),
        description: None,
        level,
        unit_id: None,
        system: number == OWNER,
        protected: number == OWNER,
    })
}

fn granted(number: u128, permission: &str) -> policy::Event {
    policy::Event::PermissionGranted { role_id: role(number), permission: permission.to_owned() }
}

/// An owner over a manager over a clerk over a reader; and a low role that sees all exports.
fn ladder() -> Policy {
    let mut policy = Policy::default();
    let inherits = |senior, junior| policy::Event::InheritanceAdded {
        senior_id: role(senior),
        junior_id: role(junior),
    };
    let events = [
        policy::Event::Initialized { owner_role_id: role(OWNER) },
        made(OWNER, OWNER_LEVEL),
        granted(OWNER, "*:*"),
        made(MANAGER, 500),
        granted(MANAGER, "rbac.assignments:assign"),
        made(CLERK, 100),
        granted(CLERK, "exports.files:request"),
        made(READER, 50),
        granted(READER, "audit.trail:read"),
        inherits(MANAGER, CLERK),
        inherits(CLERK, READER),
        made(WIDE, 10),
        granted(WIDE, "exports.*:*"),
        policy::Event::ProtectedRoleGranted {
            user_id: id(9),
            role_id: role(OWNER),
            unit_id: None,
            expires_at: None,
        },
    ];
    for event in &events {
        policy.evolve(event);
    }
    policy
}

fn access(events: &[Event]) -> Arc<UserAccess> {
    let mut access = UserAccess::default();
    for event in events {
        access.evolve(event);
    }
    Arc::new(access)
}

/// The caller, user 1, is a manager of the whole organisation; the roles are those of user 2.
fn by_manager() -> Facts {
    Facts {
        user_id: id(2),
        user_exists: true,
        policy: Arc::new(ladder()),
        actor_access: access(&[assigned(MANAGER, None, None)]),
        unit_path: Vec::new(),
    }
}

fn assigned(number: u128, unit_id: Option<UnitId>, expires_at: Option<Timestamp>) -> Event {
    Event::RoleAssigned { role_id: role(number), unit_id, expires_at }
}

fn assign(number: u128) -> Command {
    Command::AssignRole { role_id: role(number), unit_id: None, expires_at: None }
}

fn remove(number: u128) -> Command {
    Command::RemoveRole { role_id: role(number), unit_id: None, reason: None }
}

fn end_at(number: u128, expires_at: Option<Timestamp>) -> Command {
    Command::ChangeRoleExpiry { role_id: role(number), unit_id: None, expires_at }
}

fn removed(number: u128) -> Event {
    Event::RoleRemoved { role_id: role(number), unit_id: None, reason: None }
}

fn expire(number: u128) -> Command {
    Command::ExpireRole { role_id: role(number), unit_id: None }
}

fn expired(number: u128) -> Event {
    Event::RoleAssignmentExpired { role_id: role(number), unit_id: None }
}

fn acting(kind: ActorKind, name: &str, on_behalf_of: Option<UserId>) -> Context {
    let actor =
        Actor { kind, id: name.to_string(), session_id: None, on_behalf_of, api_key_id: None };
    Context { actor, ..context() }
}

const YESTERDAY: &str = "2025-12-31T12:00:00Z";
const TOMORROW: &str = "2026-01-02T12:00:00Z";
const LATER: &str = "2026-02-01T00:00:00Z";

/// What access to a unit means: to read is to be a reader, to write is to be a clerk.
fn with_levels() -> Policy {
    let mut policy = ladder();
    for (number, level, permission) in
        [(301, Level::Read, "audit.trail:read"), (302, Level::Write, "exports.files:request")]
    {
        policy.evolve(&policy::Event::RoleCreated(RoleCreated {
            role_id: role(number),
            name: level.code().into(),
            code: level.code().into(),
            description: None,
            level: 20,
            unit_id: None,
            system: false,
            protected: false,
        }));
        policy.evolve(&granted(number, permission));
    }
    policy
}

fn in_north() -> Facts {
    Facts { policy: Arc::new(with_levels()), unit_path: vec![north()], ..by_manager() }
}

#[test]
fn assigns_a_role_once() {
    given::<UserAccess>([])
        .facts(by_manager())
        .when(assign(CLERK))
        .then([assigned(CLERK, None, None)]);
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(by_manager())
        .when(assign(CLERK))
        .refused(Rejection::RoleAlreadyAssigned { role_id: role(CLERK) });
}

#[test]
fn assigns_a_role_until_a_time_in_the_future() {
    let until = |end| {
        let expires_at = Some(at(end));
        Command::AssignRole { role_id: role(CLERK), unit_id: None, expires_at }
    };
    given::<UserAccess>([]).facts(by_manager()).when(until(TOMORROW)).then([assigned(
        CLERK,
        None,
        Some(at(TOMORROW)),
    )]);
    for end in [YESTERDAY, "2026-01-01T12:00:00Z"] {
        given::<UserAccess>([])
            .facts(by_manager())
            .when(until(end))
            .refused(Rejection::AssignmentExpiryPast { expires_at: at(end) });
    }
}

#[test]
fn assigns_the_same_role_in_a_unit_besides() {
    let facts = Facts { unit_path: vec![north(), id(201)], ..by_manager() };
    let in_north =
        Command::AssignRole { role_id: role(CLERK), unit_id: Some(north()), expires_at: None };
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(facts)
        .when(in_north)
        .then([assigned(CLERK, Some(north()), None)]);
}

#[test]
fn assigns_again_what_has_ended_though_no_timer_came() {
    given::<UserAccess>([assigned(CLERK, None, Some(at(YESTERDAY)))])
        .facts(by_manager())
        .when(assign(CLERK))
        .then([expired(CLERK), assigned(CLERK, None, None)]);
}

#[test]
fn refuses_unknown_users_roles_and_units() {
    given::<UserAccess>([])
        .facts(Facts { user_exists: false, ..by_manager() })
        .when(assign(CLERK))
        .refused(Rejection::AssignmentUserUnknown);
    given::<UserAccess>([])
        .facts(by_manager())
        .when(assign(999))
        .refused(Rejection::AssignmentRoleUnknown { role_id: role(999) });
    given::<UserAccess>([])
        .facts(by_manager())
        .when(Command::AssignRole {
            role_id: role(CLERK),
            unit_id: Some(north()),
            expires_at: None,
        })
        .refused(Rejection::AssignmentUnitUnknown { unit_id: north() });
}

#[test]
fn sends_protected_roles_to_the_policy() {
    given::<UserAccess>([])
        .facts(by_manager())
        .context(acting(ActorKind::System, "set-up", None))
        .when(assign(OWNER))
        .refused(Rejection::AssignmentRoleProtected { role_id: role(OWNER) });
}

#[test]
fn a_user_holds_a_limited_number_of_roles() {
    let full = (0..MAX_ASSIGNMENTS as u128).map(|number| assigned(1_000 + number, None, None));
    given::<UserAccess>(full)
        .facts(by_manager())
        .when(assign(CLERK))
        .refused(Rejection::TooManyAssignments);
}

#[test]
fn nobody_gives_a_role_of_their_own_level_or_higher() {
    given::<UserAccess>([])
        .facts(by_manager())
        .when(assign(MANAGER))
        .refused(Rejection::AssignmentExceedsLevel { level: 500 });
    given::<UserAccess>([])
        .facts(Facts { actor_access: Arc::default(), ..by_manager() })
        .when(assign(READER))
        .refused(Rejection::AssignmentExceedsLevel { level: 50 });
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    given::<UserAccess>([])
        .facts(by_manager())
        .when(assign(WIDE))
        .refused(Rejection::AssignmentExceedsPermissions { permission: "exports.*:*".to_owned() });
}

#[test]
fn nobody_gives_themselves_more() {
    given::<UserAccess>([assigned(CLERK, None, None)])
        .facts(Facts {
            user_id: id(1),
            actor_access: access(&[assigned(CLERK, None, None)]),
            ..by_manager()
        })
        .when(assign(MANAGER))
        .refused(Rejection::AssignmentExceedsLevel { level: 500 });
}

#[test]
fn what_has_expired_gives_no_right_to_give() {
    given::<UserAccess>([])
        .facts(Facts {
            actor_access: access(&[assigned(MANAGER, None, Some(at(YESTERDAY)))]),
            ..by_manager()
        })
        .when(assign(CLERK))
        .refused(Rejection::AssignmentExceedsLevel { level: 100 });
}

#[test]
fn a_manager_of_a_unit_gives_roles_there_and_below_only() {
    let manager_of_north = access(&[assigned(MANAGER, Some(north()), None)]);
    let desk: UnitId = id(202);
    let facts = Facts { actor_access: manager_of_north, ..by_manager() };
    given::<UserAccess>([])
        .facts(Facts { unit_path: vec![desk, north()], ..facts.clone() })
        .when(Command::AssignRole { role_id: role(CLERK), unit_id: Some(desk), expires_at: None })
        .then([assigned(CLERK, Some(desk), None)]);
    given::<UserAccess>([])
        .facts(facts)
        .when(assign(CLERK))
        .refused(Rejection::AssignmentExceedsLevel { level: 100 });
}

#[test]
fn owners_and_the_installation_give_everything() {
    for context in [
        acting(ActorKind::User, &id::<UserId>(9).to_string(), None),
        acting(ActorKind::System, "", None),
    ] {
        given::<UserAccess>([])
            .facts(Facts { actor_access: Arc::default(), ..by_manager() })
            .context(context)
            .when(assign(WIDE))
            .then([assigned(WIDE, None, None)]);
    }
}

#[test]
fn a_service_gives_what_its_user_could_and_nothing_of_its_own() {
    given::<UserAccess>([])
        .facts(by_manager())
        .context(acting(ActorKind::Service, "planner", Some(id(1))))
        .when(assign(CLERK))
        .then([assigned(CLERK, None, None)]);
    given::<UserAccess>([])
        .facts(by_manager())
        .context(acting(ActorKind::Service, "workers", None))
        .when(assign(CLERK))
        .refused(Rejection::AssignmentExceedsLevel { level: 100 });
}

#[test]
fn keeps_what_it_holds_through_a_snapshot() {
    let access = access(&[
        assigned(CLERK, Some(north()), Some(at(TOMORROW))),
        assigned(READER, None, None),
        Event::RoleExtended { role_id: role(CLERK), unit_id: Some(north()), expires_at: None },
    ]);
    let text = serde_json::to_string(&*access).unwrap();
    assert_eq!(serde_json::from_str::<UserAccess>(&text).unwrap(), *access);
    assert_eq!(access.find(role(CLERK), Some(north())).unwrap().expires_at, None);
}

#[test]
fn a_command_names_its_unit() {
    let expire = Command::ExpireRole { role_id: role(CLERK), unit_id: Some(north()) };
    assert_eq!(expire.unit(), Some(north()));
    assert_eq!(assign(CLERK).unit(), None);
}

#[test]
fn stored_events_keep_their_shape() {
    let (role_id, unit_id, expires_at) = (role(CLERK), Some(north()), Some(at(TOMORROW)));
    let reason = Some("moved to sales".to_owned());
    frozen::<UserAccess>([
        Event::RoleAssigned { role_id, unit_id, expires_at },
        Event::RoleRemoved { role_id, unit_id, reason },
        Event::RoleAssignmentExpired { role_id, unit_id },
        Event::RoleExtended { role_id, unit_id, expires_at },
        Event::RoleShortened { role_id, unit_id, expires_at: at(TOMORROW) },
        Event::RoleEndAnnounced { role_id, unit_id, expires_at: at(TOMORROW) },
        Event::UnitAccessGranted { unit_id: north(), level: Level::Write, expires_at },
        Event::UnitAccessRevoked { unit_id: north(), reason: Some("moved".into()) },
        Event::UnitAccessExpired { unit_id: north() },
    ]);
}

#[test]
fn nobody_gets_roles_that_exclude_each_other() {
    let mut policy = ladder();
    policy.evolve(&policy::Event::ExclusiveRolesDefined {
        set_id: id(500),
        name: "Books and exports".into(),
        roles: vec![role(READER), role(WIDE)],
        cardinality: 2,
    });
    let facts =
        || Facts { policy: Arc::new(policy.clone()), actor_access: access(&[]), ..by_manager() };
    let owner = Context {
        actor: Actor { id: id::<UserId>(9).to_string(), ..context().actor },
        ..context()
    };
    let refused =
        Rejection::AssignmentExclusive { set: "Books and exports".into(), cardinality: 2 };
    for held in [READER, CLERK] {
        given::<UserAccess>([assigned(held, Some(north()), None)])
            .facts(facts())
            .context(owner.clone())
            .when(assign(WIDE))
            .refused(refused.clone());
    }
    let yesterday = Some(at("2025-12-31T12:00:00Z"));
    given::<UserAccess>([assigned(READER, None, yesterday)])
        .facts(facts())
        .context(owner)
        .when(assign(WIDE))
        .then([assigned(WIDE, None, None)]);
}
