//! Explanations and what they rest on, over random histories: now, at every earlier moment, and between two.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::identity::organization::{self, Organization};
use crate::identity::user::{self, Status, User};
use crate::rbac::resolve::evidence::{Fact, Happened, Mark, Needles, Trace};
use crate::rbac::resolve::review::{Held, Person, granted as granted_by, way_to};

const ROLES: u8 = 6;
const USERS: u8 = 3;
const CUSTOM: [&str; 3] = ["shop.till:see", "shop.till:open", "shop.door:open"];
const GRANTS: [&str; 6] =
    ["shop.till:see", "shop.till:open", "shop.*:open", "*:read", "rbac.roles:manage", "*:*"];
const ASKED: [&str; 6] = [
    "shop.till:see",
    "shop.till:open",
    "shop.door:open",
    "audit.trail:read",
    "rbac.roles:manage",
    "no.such:thing",
];

/// One random step: what to do, to whom, with what, where and for how long.
type Step = (u8, u8, u8, Option<u8>, Option<u8>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = prop::option::weighted(0.3, 0..3_u8);
    let end = prop::option::weighted(0.3, 0..2_u8);
    prop::collection::vec((0..12_u8, 0..ROLES, 0..ROLES, place, end), 30..80)
}

fn number(n: u8) -> u128 {
    u128::from(n)
}

fn user(n: u8) -> UserId {
    id(1 + number(n % USERS))
}

fn unit(n: u8) -> UnitId {
    id(200 + number(n))
}

/// Units 1 and 2 under 0.
fn organization() -> Organization {
    let mut organization = Organization::default();
    for n in 0..3 {
        let unit = organization::Unit {
            kind: organization::UnitKind::Site,
            code: format!("u{n}"),
            name: format!("unit {n}"),
            parent_id: (n > 0).then(|| unit(0)),
            time_zone: None,
            closed: false,
        };
        organization.units.insert(self::unit(n), unit);
    }
    organization
}

/// What decides at some moment of a history.
#[derive(Default, Clone)]
struct State {
    policy: Policy,
    access: BTreeMap<UserId, UserAccess>,
    users: BTreeMap<UserId, User>,
}

impl State {
    fn after(history: &[Happened]) -> Self {
        let mut state = Self::default();
        for event in history {
            state.add(event);
        }
        state
    }

    fn add(&mut self, event: &Happened) {
        match event {
            Happened::Policy(event) => self.policy.evolve(event),
            Happened::Access(id, event) => self.access.entry(*id).or_default().evolve(event),
            Happened::User(id, event) => self.users.entry(*id).or_default().evolve(event),
        }
    }

    fn person<'a>(
        &'a self,
        user_id: UserId,
        (nobody, organization): (&'a UserAccess, &'a Organization),
    ) -> Person<'a> {
        let status = self.users.get(&user_id).map_or(Status::Absent, |user| user.status);
        let access = self.access.get(&user_id).unwrap_or(nobody);
        Person { user_id, status, access, policy: &self.policy, organization, now: context().now }
    }

    /// The event that a step comes to, where the rules could have let it happen.
    fn event(&self, (what, a, b, place, end): Step) -> Option<Happened> {
        let (role_id, unit_id) = (role(number(a)), place.map(unit));
        let ends = ["2026-01-01T12:00:00Z", "2026-02-01T00:00:00Z"];
        let expires_at = end.map(|end| at(ends[usize::from(end)]));
        let permission = GRANTS[usize::from(b) % GRANTS.len()].to_owned();
        let custom = usize::from(b) % CUSTOM.len();
        let permission_id = id(400 + custom as u128);
        let exists = self.policy.role(role_id).is_some();
        // A pattern needs nobody to know it; what is no pattern has to be there before it is granted.
        let known = permission.contains('*') || self.policy.knows(&permission);
        let user = user(b);
        let held = self.access.get(&user).and_then(|access| access.find(role_id, unit_id));
        Some(match what {
            0 | 1 if !self.policy.role_id_is_taken(role_id) => {
                let role = created(number(a), u16::from(a));
                Happened::Policy(Event::RoleCreated(RoleCreated { unit_id, ..role }))
            }
            2 if exists && known => {
                Happened::Policy(Event::PermissionGranted { role_id, permission })
            }
            3 if exists => Happened::Policy(Event::PermissionRevoked { role_id, permission }),
            4 if a > b && exists => Happened::Policy(inherits(number(a), number(b))),
            5 if a > b => {
                let (senior_id, junior_id) = (role_id, role(number(b)));
                Happened::Policy(Event::InheritanceRemoved { senior_id, junior_id })
            }
            6 if self.policy.custom_permission(CUSTOM[custom]).is_none() => {
                let implies = [&["audit.trail:read"][..], &["shop.till:see"], &[]][custom];
                Happened::Policy(made(400 + custom as u128, CUSTOM[custom], implies))
            }
            7 if a == 0 => Happened::Policy(Event::PermissionRetired { permission_id }),
            8 if a == b => Happened::Policy(Event::RoleDeleted { role_id }),
            9 if held.is_none() => {
                let given = user_access::Event::RoleAssigned { role_id, unit_id, expires_at };
                Happened::Access(user, given)
            }
            10 => {
                let now = context().now;
                let ahead = held?.is_live(now) && expires_at.is_none_or(|end| end > now);
                let (reason, gone) = (None, a % 2 == 0 || !ahead);
                Happened::Access(
                    user,
                    if gone {
                        user_access::Event::RoleRemoved { role_id, unit_id, reason }
                    } else {
                        user_access::Event::RoleExtended { role_id, unit_id, expires_at }
                    },
                )
            }
            11 => self.of_account(user, role_id, a)?,
            _ => return None,
        })
    }

    fn of_account(&self, user_id: UserId, role_id: RoleId, a: u8) -> Option<Happened> {
        let (unit_id, expires_at, reason) = (None, None, None);
        let has = !self.policy.protected_grants(user_id).is_empty();
        Some(match (a, self.users.get(&user_id).map(|user| user.status)) {
            (_, None) => Happened::User(user_id, registered()),
            (0, Some(Status::Active)) => {
                Happened::User(user_id, user::Event::Deactivated { reason: "left".into() })
            }
            (_, Some(Status::Deactivated)) => Happened::User(user_id, user::Event::Reactivated),
            (1 | 2, _) if has => Happened::Policy(Event::ProtectedRoleRevoked {
                user_id,
                role_id: self.policy.protected_grants(user_id)[0].role_id,
                unit_id,
                reason,
            }),
            (_, _) if !has => Happened::Policy(Event::ProtectedRoleGranted {
                user_id,
                role_id,
                unit_id,
                expires_at,
            }),
            (_, _) => return None,
        })
    }
}

fn registered() -> user::Event {
    user::Event::Registered {
        handle: "somebody".into(),
        display_name: "Somebody".into(),
        email: None,
        locale: "en".into(),
        time_zone: "UTC".into(),
    }
}

fn history(steps: Vec<Step>) -> Vec<Happened> {
    let mut state = State::default();
    let mut history: Vec<_> = (0..USERS).map(|n| Happened::User(user(n), registered())).collect();
    for event in &history {
        state.add(event);
    }
    for step in steps {
        if let Some(event) = state.event(step) {
            state.add(&event);
            history.push(event);
        }
    }
    history
}

fn traced(history: &[Happened], facts: &[Fact], needles: Option<&Needles>) -> BTreeMap<Fact, Mark> {
    let mut trace = Trace::new(facts.iter().cloned());
    for (position, event) in (1..).zip(history) {
        let found = needles.is_none_or(|needles| match event {
            Happened::Policy(event) => names(event, &needles.policy),
            Happened::Access(user, event) => {
                needles.accesses.contains(user) && names(event, &needles.places)
            }
            Happened::User(user, _) => needles.accounts.contains(user),
        });
        if found {
            trace.add(position, event);
        }
    }
    trace.finish()
}

/// The position of the last of so many events.
fn position(events: usize) -> i64 {
    i64::try_from(events).unwrap()
}

fn names(event: &impl serde::Serialize, ids: &BTreeSet<Uuid>) -> bool {
    let payload = serde_json::to_string(event).unwrap();
    ids.iter().any(|id| payload.contains(&id.to_string()))
}

/// One question of a triple: who, what and where.
fn asked() -> impl Strategy<Value = (u8, &'static str, Option<u8>)> {
    (0..USERS, select(&ASKED[..]), prop::option::of(0..3_u8))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn who_may_in_some_units_may_below_them_and_in_no_others(
        steps in steps(),
        triples in prop::collection::vec(asked(), 10),
    ) {
        let (state, organization) = (State::after(&history(steps)), organization());
        let nobody = UserAccess::default();
        for (n, permission, place) in &triples {
            let person = state.person(user(*n), (&nobody, &organization));
            let units = organization.below(&person.units_permitting(permission));
            let everywhere = person.explain(permission, None).is_allowed();
            for unit in place.map(unit).into_iter().chain(organization.units.keys().copied()) {
                let allowed = person.explain(permission, Some(unit)).is_allowed();
                let reached = everywhere || units.contains(&unit);
                prop_assert_eq!(allowed, reached, "{} in {}", permission, unit);
            }
        }
    }

    /// 250 histories, 4 moments of each, 10 triples: 10,000 answers and more.
    #[test]
    fn every_answer_is_the_enforcers_and_rests_on_events_that_made_it_so(
        steps in steps(),
        triples in prop::collection::vec(asked(), 10),
        moments in prop::collection::vec(any::<prop::sample::Index>(), 3),
    ) {
        let (history, organization, nobody) =
            (history(steps), organization(), UserAccess::default());
        let ends = moments.iter().map(|moment| moment.index(history.len())).chain([history.len()]);
        for end in ends {
            let past = &history[..end];
            let state = State::after(past);
            for (n, permission, place) in &triples {
                let person = state.person(user(*n), (&nobody, &organization));
                let unit_id = place.map(unit);
                let verdict = person.explain(permission, unit_id);
                let unit_path = unit_id.map(|unit| organization.path(unit)).unwrap_or_default();
                let holder = Holder {
                    policy: &state.policy,
                    user_id: person.user_id,
                    access: person.access,
                    unit_path: &unit_path,
                    now: context().now,
                };
                let enforced =
                    person.status == Status::Active && holder.effective().allows(permission);
                prop_assert_eq!(verdict.is_allowed(), enforced, "{} {:?}", permission, verdict);
                let facts = verdict.facts(&state.policy, person.user_id);
                let needles = Needles::of(&state.policy, &facts);
                let marks = traced(past, &facts, Some(&needles));
                prop_assert_eq!(&marks, &traced(past, &facts, None), "the needles find all");
                for (fact, mark) in marks {
                    let denied_by = matches!(fact, Fact::Known { .. } | Fact::Active { .. });
                    prop_assert!(mark.holds || !verdict.is_allowed() && denied_by, "{:?}", fact);
                    let made = mark.made.unwrap_or_default();
                    prop_assert!((1..=position(end)).contains(&made), "{:?} {:?}", fact, mark);
                }
            }
        }
    }

    #[test]
    fn what_was_gained_and_lost_between_two_moments_has_its_events_between_them(
        steps in steps(),
        moment in any::<prop::sample::Index>(),
    ) {
        let (history, organization, nobody) =
            (history(steps), organization(), UserAccess::default());
        let from = moment.index(history.len());
        let (before, after) = (State::after(&history[..from]), State::after(&history));
        for n in 0..USERS {
            let others = (&nobody, &organization);
            let (before, after) = (before.person(user(n), others), after.person(user(n), others));
            let difference = after.since(&before);
            let may = |person: &Person<'_>, held: &Held| {
                person.explain(&held.permission, held.unit_id).is_allowed()
            };
            let told = |list: &[Held], held: &Held| {
                let path = held.unit_id.map(|unit| organization.path(unit)).unwrap_or_default();
                list.iter().any(|other| {
                    let here = other.unit_id.is_none_or(|unit| path.contains(&unit));
                    other.permission == held.permission && here
                })
            };
            // Whoever loses a right everywhere may keep it in a unit, and is told of the loss all the same.
            for held in before.holdings().symmetric_difference(&after.holdings()) {
                let (had, has) = (may(&before, held), may(&after, held));
                prop_assert!(had || !has || told(&difference.gained, held), "{:?}", held);
                prop_assert!(has || !had || told(&difference.lost, held), "{:?}", held);
            }
            for (list, had, has) in
                [(&difference.gained, false, true), (&difference.lost, true, false)]
            {
                for held in list {
                    prop_assert_eq!((may(&before, held), may(&after, held)), (had, has), "{:?}", held);
                }
            }
            for held in &difference.gained {
                let marks = traced(&history, &after.ways(held), None);
                let within = |mark: &Mark| mark.made.is_some_and(|made| made > position(from));
                prop_assert!(marks.values().any(within), "{:?} {:?}", held, marks);
            }
            for held in &difference.lost {
                let marks = traced(&history, &before.ways(held), None);
                let within = |mark: &Mark| mark.ended.is_some_and(|ended| ended > position(from));
                prop_assert!(marks.values().any(within), "{:?} {:?}", held, marks);
            }
        }
    }
}

#[test]
fn a_role_has_what_its_juniors_are_granted_by_a_way_that_is_told() {
    let policy = policy([
        Event::RoleCreated(created(3, 30)),
        Event::RoleCreated(created(2, 20)),
        Event::RoleCreated(created(1, 10)),
        granted(1, "*:read"),
        inherits(3, 2),
        inherits(2, 1),
    ]);
    assert_eq!(granted_by(&policy, role(3)).get("*:read"), Some(&role(1)));
    let inherits =
        |senior, junior| Fact::Inherits { senior_id: role(senior), junior_id: role(junior) };
    let granted = Fact::Granted { role_id: role(1), permission: "*:read".into() };
    assert_eq!(
        way_to(&policy, role(3), role(1), "*:read"),
        [granted, inherits(2, 1), inherits(3, 2)]
    );
}

#[test]
fn who_is_gone_or_unknown_or_asks_of_no_unit_is_told_so() {
    let (policy, access, organization) =
        (policy([]), UserAccess::default(), Organization::default());
    let person = Person {
        user_id: id(1),
        status: Status::Active,
        access: &access,
        policy: &policy,
        organization: &organization,
        now: context().now,
    };
    let deny = |lack| Verdict::Deny { missing: vec![lack] };
    assert_eq!(person.explain("rbac.roles:read", Some(unit(9))), deny(Lack::UnitUnknown));
    let gone = Person { status: Status::Deactivated, ..person };
    assert_eq!(gone.explain("rbac.roles:read", None), deny(Lack::UserDeactivated));
    let nobody = Person { status: Status::Absent, ..person };
    assert_eq!(nobody.explain("rbac.roles:read", None), deny(Lack::UserUnknown));
}
