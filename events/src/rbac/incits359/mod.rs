//! Every function of INCITS 359-2012 that core, general hierarchical and static `SoD` RBAC have, by its name in the standard.
//!
//! A session of ours has all roles of its user active at all times, so that `AddActiveRole` and
//! `DropActiveRole` are what assigning and removing do to it.

mod separation;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::policy::{self, CreatePermission, CreateRole, DefineExclusiveRoles, Policy};
use super::review::Review;
use super::user_access::{self, UserAccess};
use crate::aggregate::{Actor, ActorKind, Context, Decider};
use crate::identity::user::{self, User};
use crate::ids::{ExclusiveSetId, RoleId, UserId};
use crate::testing::{context, given, id};

const ANNA: u128 = 1;
const BERT: u128 = 2;

const CLERK: u128 = 11;
const CASHIER: u128 = 12;
const MANAGER: u128 = 13;
const AUDITOR: u128 = 14;

/// A system as the standard describes it, kept by the rules alone.
#[derive(Default)]
struct System {
    policy: Policy,
    access: BTreeMap<UserId, UserAccess>,
}

impl System {
    /// With a policy, the permissions of a shop and no role but the owner's.
    fn begun() -> Self {
        let mut system = Self::default();
        system.change(policy::Command::Initialize { owner_role_id: id(10) }).unwrap();
        for (number, name) in
            ["shop.till:open", "shop.till:count", "shop.books:close"].iter().enumerate()
        {
            let wanted = CreatePermission {
                permission_id: id(900 + number as u128),
                name: (*name).to_owned(),
                description: None,
                implies: Vec::new(),
            };
            system.change(policy::Command::CreatePermission(wanted)).unwrap();
        }
        system
    }

    /// A manager over a cashier, a clerk and an auditor beside them; Anna is the manager, Bert a clerk.
    fn shop() -> Self {
        let mut system = Self::begun();
        for (number, level) in [(CLERK, 10), (CASHIER, 20), (MANAGER, 30), (AUDITOR, 20)] {
            system.add_role(number, level).unwrap();
        }
        system.grant(CLERK, "shop.books:close").unwrap();
        system.grant(CASHIER, "shop.till:open").unwrap();
        system.grant(MANAGER, "shop.till:count").unwrap();
        system.inherit(MANAGER, CASHIER).unwrap();
        system.assign(ANNA, MANAGER).unwrap();
        system.assign(BERT, CLERK).unwrap();
        system
    }

    fn context() -> Context {
        let actor = Actor { kind: ActorKind::System, id: "set-up".into(), ..context().actor };
        Context { actor, ..context() }
    }

    fn holders(&self) -> Vec<(UserId, Arc<UserAccess>)> {
        let all = self.access.iter();
        all.map(|(user, access)| (*user, Arc::new(access.clone()))).collect()
    }

    fn change(&mut self, command: policy::Command) -> Result<(), policy::Rejection> {
        let facts =
            policy::Facts { holders: self.holders(), user_exists: true, ..Default::default() };
        let events = self.policy.decide(command, &facts, &Self::context())?;
        for event in &events {
            self.policy.evolve(event);
        }
        Ok(())
    }

    fn give(
        &mut self,
        user: u128,
        command: user_access::Command,
    ) -> Result<(), user_access::Rejection> {
        let (user_id, policy) = (id(user), Arc::new(self.policy.clone()));
        let facts = user_access::Facts { user_id, user_exists: true, policy, ..Default::default() };
        let access = self.access.entry(user_id).or_default();
        let events = access.decide(command, &facts, &Self::context())?;
        for event in &events {
            access.evolve(event);
        }
        Ok(())
    }

    fn add_role(&mut self, number: u128, level: u16) -> Result<(), policy::Rejection> {
        self.change(policy::Command::CreateRole(CreateRole {
            role_id: id(number),
            name: format!("Role {number}"),
            code: None,
            description: None,
            level,
            unit_id: None,
            protected: false,
            permissions: Vec::new(),
        }))
    }

    fn grant(&mut self, number: u128, permission: &str) -> Result<(), policy::Rejection> {
        let (role_id, permission) = (id(number), permission.to_owned());
        self.change(policy::Command::GrantPermission { role_id, permission })
    }

    fn inherit(&mut self, senior: u128, junior: u128) -> Result<(), policy::Rejection> {
        let (senior_id, junior_id) = (id(senior), id(junior));
        self.change(policy::Command::AddInheritance { senior_id, junior_id })
    }

    fn disinherit(&mut self, senior: u128, junior: u128) -> Result<(), policy::Rejection> {
        let (senior_id, junior_id) = (id(senior), id(junior));
        self.change(policy::Command::RemoveInheritance { senior_id, junior_id })
    }

    fn assign(&mut self, user: u128, number: u128) -> Result<(), user_access::Rejection> {
        let (role_id, unit_id, expires_at) = (id(number), None, None);
        self.give(user, user_access::Command::AssignRole { role_id, unit_id, expires_at })
    }

    fn deassign(&mut self, user: u128, number: u128) -> Result<(), user_access::Rejection> {
        let (role_id, unit_id, reason) = (id(number), None, None);
        self.give(user, user_access::Command::RemoveRole { role_id, unit_id, reason })
    }

    fn exclude(&mut self, roles: &[u128], cardinality: u16) -> Result<(), policy::Rejection> {
        self.change(policy::Command::DefineExclusiveRoles(DefineExclusiveRoles {
            set_id: set(),
            name: "Till and audit".into(),
            roles: roles.iter().map(|number| id(*number)).collect(),
            cardinality,
        }))
    }

    /// Asks a question of the whole.
    fn ask<T>(&self, question: impl FnOnce(Review<'_>) -> T) -> T {
        let holders = self.holders();
        question(Review { policy: &self.policy, holders: &holders, now: context().now })
    }

    fn may(&self, user: u128, permission: &str) -> bool {
        self.ask(|review| {
            review.user_permissions(id(user), &[]).iter().any(|name| **name == *permission)
        })
    }

    fn users(
        &self,
        of: impl FnOnce(&Review<'_>) -> std::collections::BTreeSet<UserId>,
    ) -> Vec<u128> {
        let found = self.ask(|review| of(&review));
        [ANNA, BERT].into_iter().filter(|user| found.contains(&id(*user))).collect()
    }
}

fn set() -> ExclusiveSetId {
    id(500)
}

fn roles(numbers: &[u128]) -> std::collections::BTreeSet<RoleId> {
    numbers.iter().map(|number| id(*number)).collect()
}

// Core RBAC: administrative commands.

fn register() -> user::Command {
    let anna =
        json!({"handle": "anna", "display_name": "Anna", "locale": "en", "time_zone": "UTC"});
    user::Command::Register(serde_json::from_value(anna).unwrap())
}

#[test]
fn add_user() {
    assert_eq!(given::<User>([]).when(register()).result().unwrap().len(), 1);
    let registered = given::<User>([]).when(register()).result().unwrap();
    assert!(given::<User>(registered).when(register()).result().is_err());
}

#[test]
fn delete_user() {
    let registered = given::<User>([]).when(register()).result().unwrap();
    let deactivate = serde_json::from_value(json!({"reason": "left"})).unwrap();
    let after = given::<User>(registered).when(user::Command::Deactivate(deactivate)).result();
    let ended = after.unwrap();
    assert!(
        ended.iter().any(|event| matches!(event, user::Event::Deactivated { .. })),
        "{ended:?}"
    );
}

#[test]
fn add_role() {
    let mut system = System::begun();
    system.add_role(CLERK, 10).unwrap();
    assert!(system.policy.role(id(CLERK)).is_some());
    assert_eq!(
        system.add_role(CLERK, 10),
        Err(policy::Rejection::RoleIdTaken { role_id: id(CLERK) })
    );
}

#[test]
fn delete_role() {
    let mut system = System::shop();
    system.change(policy::Command::DeleteRole { role_id: id(MANAGER) }).unwrap();
    assert!(!system.may(ANNA, "shop.till:count") && !system.may(ANNA, "shop.till:open"));
    let unknown = policy::Rejection::RoleUnknown { role_id: id(MANAGER) };
    assert_eq!(system.change(policy::Command::DeleteRole { role_id: id(MANAGER) }), Err(unknown));
}

#[test]
fn assign_user() {
    let mut system = System::shop();
    system.assign(BERT, CASHIER).unwrap();
    assert!(system.may(BERT, "shop.till:open"));
    let again = user_access::Rejection::RoleAlreadyAssigned { role_id: id(CASHIER) };
    assert_eq!(system.assign(BERT, CASHIER), Err(again));
}

#[test]
fn deassign_user() {
    let mut system = System::shop();
    system.deassign(BERT, CLERK).unwrap();
    assert!(!system.may(BERT, "shop.books:close"));
    let absent = user_access::Rejection::RoleNotAssigned { role_id: id(CLERK) };
    assert_eq!(system.deassign(BERT, CLERK), Err(absent));
}

#[test]
fn grant_permission() {
    let mut system = System::shop();
    system.grant(CLERK, "shop.till:open").unwrap();
    assert!(system.may(BERT, "shop.till:open"));
    assert!(system.grant(CLERK, "shop.moon:fly").is_err());
}

#[test]
fn revoke_permission() {
    let mut system = System::shop();
    let (role_id, permission) = (id(CLERK), "shop.books:close".to_owned());
    system.change(policy::Command::RevokePermission { role_id, permission }).unwrap();
    assert!(!system.may(BERT, "shop.books:close"));
}

// Core RBAC: supporting system functions.

#[test]
fn create_session_and_delete_session_and_check_access() {
    // A session adds nothing to and takes nothing from what its user may: the answer is the user's.
    let system = System::shop();
    assert!(system.may(ANNA, "shop.till:count"));
    assert!(!system.may(BERT, "shop.till:count"));
}

#[test]
fn add_active_role() {
    let mut system = System::shop();
    assert!(!system.may(BERT, "shop.till:open"));
    system.assign(BERT, CASHIER).unwrap();
    assert!(system.may(BERT, "shop.till:open"));
}

#[test]
fn drop_active_role() {
    let mut system = System::shop();
    system.deassign(ANNA, MANAGER).unwrap();
    assert!(!system.may(ANNA, "shop.till:count"));
}

// Core RBAC: review functions, as general hierarchies have them.

#[test]
fn assigned_users() {
    let system = System::shop();
    assert_eq!(system.users(|review| review.assigned_users(id(MANAGER))), [ANNA]);
    assert!(system.users(|review| review.assigned_users(id(CASHIER))).is_empty());
}

#[test]
fn assigned_roles() {
    let system = System::shop();
    assert_eq!(system.ask(|review| review.assigned_roles(id(ANNA))), roles(&[MANAGER]));
}

#[test]
fn role_permissions() {
    let system = System::shop();
    let names = system.ask(|review| review.role_permissions(id(MANAGER)));
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    assert_eq!(names, ["shop.till:count", "shop.till:open"]);
}

#[test]
fn user_permissions() {
    let system = System::shop();
    let names = system.ask(|review| review.user_permissions(id(BERT), &[]));
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["shop.books:close"]);
}

#[test]
fn session_roles_and_session_permissions() {
    let system = System::shop();
    assert_eq!(system.ask(|review| review.authorized_roles(id(ANNA))), roles(&[CASHIER, MANAGER]));
    assert_eq!(system.ask(|review| review.user_permissions(id(ANNA), &[]).len()), 2);
}

#[test]
fn role_operations_on_object() {
    let system = System::shop();
    let on =
        |number, object| system.ask(|review| review.role_operations_on_object(id(number), object));
    assert_eq!(on(MANAGER, "shop.till"), ["count", "open"]);
    assert_eq!(on(CASHIER, "shop.till"), ["open"]);
    assert!(on(MANAGER, "shop.books").is_empty());
}

#[test]
fn user_operations_on_object() {
    let system = System::shop();
    let on = |user, object| system.ask(|review| review.user_operations_on_object(id(user), object));
    assert_eq!(on(ANNA, "shop.till"), ["count", "open"]);
    assert_eq!(on(BERT, "shop.books"), ["close"]);
    assert!(on(BERT, "shop.till").is_empty());
}

// General role hierarchies.

#[test]
fn add_inheritance() {
    let mut system = System::shop();
    system.inherit(MANAGER, CLERK).unwrap();
    assert!(system.may(ANNA, "shop.books:close"));
    assert_eq!(system.inherit(MANAGER, CLERK), Err(policy::Rejection::InheritanceExists));
    assert_eq!(system.inherit(CLERK, MANAGER), Err(policy::Rejection::InheritanceCyclic));
}

#[test]
fn delete_inheritance() {
    let mut system = System::shop();
    system.disinherit(MANAGER, CASHIER).unwrap();
    assert!(!system.may(ANNA, "shop.till:open"));
    assert_eq!(system.disinherit(MANAGER, CASHIER), Err(policy::Rejection::InheritanceUnknown));
}

#[test]
fn add_ascendant() {
    let mut system = System::shop();
    system.add_role(20, 40).unwrap();
    system.inherit(20, MANAGER).unwrap();
    system.assign(BERT, 20).unwrap();
    assert!(system.may(BERT, "shop.till:open"));
}

#[test]
fn add_descendant() {
    let mut system = System::shop();
    system.add_role(20, 5).unwrap();
    system.grant(20, "shop.books:close").unwrap();
    system.inherit(CASHIER, 20).unwrap();
    assert!(system.may(ANNA, "shop.books:close"));
}

#[test]
fn authorized_users() {
    let system = System::shop();
    assert_eq!(system.users(|review| review.authorized_users(id(CASHIER))), [ANNA]);
    assert_eq!(system.users(|review| review.authorized_users(id(CLERK))), [BERT]);
}

#[test]
fn authorized_roles() {
    let system = System::shop();
    assert_eq!(system.ask(|review| review.authorized_roles(id(BERT))), roles(&[CLERK]));
    assert_eq!(system.ask(|review| review.authorized_roles(id(ANNA))), roles(&[CASHIER, MANAGER]));
}
