//! Prints what a policy of 10,000 roles, 300,000 grants and 20,000 users costs to fold, change and ask.
//! Run with `cargo run --release -p events --example policy_at_size`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::rbac::policy::{Command, Event, Facts, Policy, RoleCreated};
use events::rbac::resolve::{Effective, Holder};
use events::rbac::user_access::{self, UserAccess};
use events::testing::{context, id};
use events::{Actor, ActorKind, Context, Decider, Permission, RoleId};

const ROLES: u128 = 10_000;
const GRANTS_PER_ROLE: u128 = 30;
const PERMISSIONS: u128 = 6_000;
const USERS: u128 = 20_000;
const ROLES_PER_USER: u128 = 5;

fn main() {
    let events = history();
    let (folded, took) = timed(|| {
        let mut policy = Policy::default();
        for event in &events {
            policy.evolve(event);
        }
        policy
    });
    println!("fold {} events: {took:?}", events.len());
    let snapshot = serde_json::to_string(&folded).unwrap_or_default();
    println!("snapshot: {} KiB", snapshot.len() / 1024);
    let (_, took) = timed(|| black_box(serde_json::to_string(&folded)).map(|text| text.len()));
    println!("write a snapshot: {took:?}");
    let (_, took) = timed(|| black_box(serde_json::from_str::<Policy>(&snapshot)).is_ok());
    println!("read a snapshot: {took:?}");
    print_changes(&folded);
    print_answers(&folded);
}

fn role(number: u128) -> RoleId {
    id(10_000_000 + number)
}

fn permission(number: u128) -> String {
    format!("area{}.thing{}:use", number % 100, number)
}

/// Roles stand on ten levels; each inherits from one of the level below.
fn history() -> Vec<Event> {
    let mut events = vec![Event::Initialized { owner_role_id: role(0) }];
    for number in 0..PERMISSIONS {
        let (permission_id, name) = (id(20_000_000 + number), permission(number));
        events.push(Event::PermissionCreated {
            permission_id,
            name,
            description: None,
            implies: Vec::new(),
        });
    }
    for number in 0..ROLES {
        let level = u16::try_from(number % 10).unwrap_or_default();
        let (name, code) = (format!("Role {number}"), format!("role-{number}"));
        events.push(Event::RoleCreated(RoleCreated {
            role_id: role(number),
            name,
            code,
            description: None,
            level,
            unit_id: None,
            system: false,
            protected: false,
        }));
        let added = (0..GRANTS_PER_ROLE).map(|n| permission((number * 7 + n * 13) % PERMISSIONS));
        let (added, removed) = (added.collect(), Vec::new());
        events.push(Event::RolePermissionsReplaced { role_id: role(number), added, removed });
        if level > 0 {
            let (senior_id, junior_id) = (role(number), role(number - 1));
            events.push(Event::InheritanceAdded { senior_id, junior_id });
        }
    }
    events
}

fn print_changes(policy: &Policy) {
    let each = per_call(1_000_000, |_| {
        black_box(policy.clone());
    });
    println!("clone: {each:?}");
    let mut changed = policy.clone();
    let each = per_call(100_000, |n| {
        let permission = "rbac.roles:read".to_owned();
        let role_id = role(n % ROLES);
        if (n / ROLES).is_multiple_of(2) {
            changed.evolve(&Event::PermissionGranted { role_id, permission });
        } else {
            changed.evolve(&Event::PermissionRevoked { role_id, permission });
        }
        black_box(changed.clone());
    });
    println!("apply a grant while a clone is held: {each:?}");
    let actor = Actor {
        kind: ActorKind::System,
        id: String::new(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    let (context, facts) = (Context { actor, ..context() }, Facts::default());
    let each = per_call(100_000, |n| {
        let (role_id, permission) = (role(n % ROLES), "rbac.roles:read".to_owned());
        let command = Command::GrantPermission { role_id, permission };
        let _ = black_box(policy.decide(command, &facts, &context));
    });
    println!("decide on a grant: {each:?}");
}

fn print_answers(policy: &Policy) {
    let users: Vec<Arc<UserAccess>> = (0..USERS).map(access).collect();
    let holder = |user: u128| Holder {
        policy,
        user_id: id(user),
        access: &users[usize::try_from(user).unwrap_or_default()],
        unit_path: &[],
        now: context().now,
    };
    let each = per_call(USERS, |user| {
        black_box(holder(user).effective());
    });
    let effective: Effective = holder(7).effective();
    println!("resolve a user of {} permissions: {each:?}", effective.names().len());
    let held: Vec<String> = effective.names().iter().map(ToString::to_string).collect();
    let each = per_call(1_000_000, |n| {
        let place = usize::try_from(n).unwrap_or_default() % held.len();
        black_box(effective.allows(black_box(&held[place])));
    });
    println!("ask for a name that is held: {each:?}");
    let each = per_call(1_000_000, |_| {
        black_box(effective.allows(black_box("area1.thing99:fly")));
    });
    println!("ask for a name that is not: {each:?}");
    let each = per_call(10_000_000, |_| {
        black_box(effective.permits(black_box(Permission::RbacRolesRead)));
    });
    println!("ask for a permission of the catalogue: {each:?}");
    let each = per_call(USERS, |user| {
        black_box(holder(user).explain(black_box(&held[0])));
    });
    println!("explain, mostly denials with hints: {each:?}");
    let each = per_call(1_000, |user| {
        black_box(holder(user).explain(black_box("rbac.roles:read")));
    });
    println!("explain a denial of what no role is granted: {each:?}");
}

fn access(user: u128) -> Arc<UserAccess> {
    let mut access = UserAccess::default();
    for n in 0..ROLES_PER_USER {
        let role_id = role((user * 31 + n * 1_009) % ROLES);
        access.evolve(&user_access::Event::RoleAssigned {
            role_id,
            unit_id: None,
            expires_at: None,
        });
    }
    Arc::new(access)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn per_call(calls: u128, mut work: impl FnMut(u128)) -> Duration {
    let ((), took) = timed(|| (0..calls).for_each(&mut work));
    took / u32::try_from(calls).unwrap_or(u32::MAX)
}
