//! Who may do what and why, now and at any earlier moment; and what came and went in between.

use std::collections::BTreeMap;

use events::identity::organization::{self, Organization};
use events::identity::user::{self, Status, User};
use events::rbac::policy::{self, Policy, RoleCreated};
use events::rbac::resolve::Holder;
use events::rbac::unit_access::Level;
use events::rbac::user_access::{self, UserAccess};
use events::{Decider, RoleId, TenantId, UnitId, UserId};
use platform::clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Org, Person, World, column, hours_from_now, new, problem};

/// Numbers that look random and are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    pub(crate) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// What the log says at some position, folded here once more.
#[derive(Clone, Default)]
pub(crate) struct State {
    position: i64,
    policy: Policy,
    access: BTreeMap<UserId, UserAccess>,
    users: BTreeMap<UserId, User>,
}

impl State {
    /// What the enforcer says: the effective set, and whether the account is active.
    pub(crate) fn enforced(&self, user_id: UserId, permission: &str, unit_path: &[UnitId]) -> bool {
        let nobody = UserAccess::default();
        let access = self.access.get(&user_id).unwrap_or(&nobody);
        let holder = Holder { policy: &self.policy, user_id, access, unit_path, now: clock::now() };
        let active = self.users.get(&user_id).is_some_and(|user| user.status == Status::Active);
        active && holder.effective().allows(permission)
    }
}

pub(crate) const ASKED: [&str; 6] = [
    "shop.till:see",
    "shop.till:open",
    "audit.trail:read",
    "rbac.roles:manage",
    "exports.files:request",
    "no.such:thing",
];
const GRANTS: [&str; 5] =
    ["shop.till:open", "shop.*:*", "audit.trail:read", "*:manage", "exports.files:*"];

/// An organisation whose access changes step by step, and what it was after each.
pub(crate) struct Story<'a> {
    world: &'a World,
    pub(crate) org: Org,
    pub(crate) numbers: Numbers,
    pub(crate) state: State,
    past: Vec<State>,
    pub(crate) users: Vec<UserId>,
    roles: Vec<RoleId>,
    pub(crate) units: Vec<UnitId>,
}

impl<'a> Story<'a> {
    pub(crate) async fn begin(world: &'a World) -> Self {
        let org = world.org("acme").await;
        let mut story = Self {
            world,
            org,
            numbers: Numbers(7),
            state: State::default(),
            past: Vec::new(),
            users: Vec::new(),
            roles: (0..5).map(|_| new()).collect(),
            units: (0..3).map(|_| new()).collect(),
        };
        for (n, unit_id) in story.units.clone().into_iter().enumerate() {
            let added = organization::Event::UnitAdded {
                unit_id,
                kind: organization::UnitKind::Site,
                code: format!("u{n}"),
                name: format!("unit {n}"),
                parent_id: (n > 0).then(|| story.units[0]),
                time_zone: None,
            };
            world.append::<Organization>(story.by(), story.org.tenant, [added]).await;
        }
        for n in 0..4 {
            let handle = format!("user{n}");
            let user = world.person(story.org.tenant, &handle).await.user;
            story.users.push(user);
            story.state.users.entry(user).or_default().evolve(&user::Event::Registered {
                handle,
                display_name: "Somebody".into(),
                email: None,
                locale: "en".into(),
                time_zone: "UTC".into(),
            });
        }
        for (n, role) in story.roles.clone().into_iter().enumerate() {
            let created = RoleCreated {
                role_id: role,
                name: format!("role {n}"),
                code: if n == 0 { "unit-read".into() } else { format!("role-{n}") },
                description: None,
                level: u16::try_from(n).unwrap() + 1,
                unit_id: (n == 1).then(|| story.units[0]),
                system: false,
                protected: false,
            };
            story.policy(policy::Event::RoleCreated(created)).await;
        }
        for (name, implies) in
            [("shop.till:see", vec![]), ("shop.till:open", vec!["shop.till:see".to_owned()])]
        {
            let (permission_id, name) = (new(), name.to_owned());
            let description = None;
            let made =
                policy::Event::PermissionCreated { permission_id, name, description, implies };
            story.policy(made).await;
        }
        story
    }

    fn by(&self) -> (TenantId, &'static str) {
        (self.org.tenant, "system")
    }

    async fn policy(&mut self, event: policy::Event) {
        let position =
            self.world.append::<Policy>(self.by(), self.org.tenant, [event.clone()]).await;
        self.state.policy.evolve(&event);
        self.reached(position);
    }

    async fn access(&mut self, user: UserId, event: user_access::Event) {
        let position = self.world.append::<UserAccess>(self.by(), user, [event.clone()]).await;
        self.state.access.entry(user).or_default().evolve(&event);
        self.reached(position);
    }

    async fn account(&mut self, user: UserId, event: user::Event) {
        let position = self.world.append::<User>(self.by(), user, [event.clone()]).await;
        self.state.users.entry(user).or_default().evolve(&event);
        self.reached(position);
    }

    fn reached(&mut self, position: i64) {
        self.state.position = position;
        self.past.push(self.state.clone());
    }

    pub(crate) async fn step(&mut self) {
        let (user, senior) = (self.numbers.below(4), self.numbers.below(5));
        let (user, role_id) = (self.users[user], self.roles[senior]);
        let permission = self.numbers.of(&GRANTS).to_owned();
        let unit = self.numbers.below(6);
        let unit_id = self.units.get(unit).copied();
        match self.numbers.below(7) {
            6 => {
                let unit_id = self.units[unit % 3];
                let held = self.state.access.get(&user).and_then(|access| access.unit(unit_id));
                let event = if held.is_some() {
                    user_access::Event::UnitAccessRevoked { unit_id, reason: None }
                } else {
                    let expires_at = (unit == 4).then(|| hours_from_now(-1));
                    let level = Level::Read;
                    user_access::Event::UnitAccessGranted { unit_id, level, expires_at }
                };
                self.access(user, event).await;
            }
            0 => self.policy(policy::Event::PermissionGranted { role_id, permission }).await,
            1 => self.policy(policy::Event::PermissionRevoked { role_id, permission }).await,
            2 if senior > 0 => {
                let junior_id = self.roles[self.numbers.below(senior)];
                let senior_id = role_id;
                self.policy(if unit.is_multiple_of(2) {
                    policy::Event::InheritanceAdded { senior_id, junior_id }
                } else {
                    policy::Event::InheritanceRemoved { senior_id, junior_id }
                })
                .await;
            }
            3 => {
                let account = self.state.users.get(&user).map(|user| user.status);
                let event = match account {
                    Some(Status::Active) if unit == 0 => {
                        user::Event::Deactivated { reason: "left".into() }
                    }
                    Some(Status::Deactivated) => user::Event::Reactivated,
                    Some(Status::Active | Status::Absent | Status::Erased) | None => return,
                };
                self.account(user, event).await;
            }
            _ => {
                let held = self.state.access.get(&user);
                let held = held.is_some_and(|access| access.find(role_id, unit_id).is_some());
                let expires_at = (unit == 4).then(|| hours_from_now(-1));
                self.access(
                    user,
                    if held {
                        user_access::Event::RoleRemoved { role_id, unit_id, reason: None }
                    } else {
                        user_access::Event::RoleAssigned { role_id, unit_id, expires_at }
                    },
                )
                .await;
            }
        }
    }

    pub(crate) fn path(&self, unit: Option<usize>) -> Vec<UnitId> {
        let Some(unit) = unit else { return Vec::new() };
        if unit == 0 { vec![self.units[0]] } else { vec![self.units[unit], self.units[0]] }
    }

    /// Asks a hundred random triples at once, of one moment or of now, and compares the answers.
    async fn compare(&mut self, of: Option<&State>) {
        let triples: Vec<_> = (0..100)
            .map(|_| {
                let user = self.numbers.of(&self.users.clone());
                let unit = Some(self.numbers.below(6)).filter(|unit| *unit < 3);
                (user, self.numbers.of(&ASKED), unit)
            })
            .collect();
        let checks = triples.iter().map(|(user, permission, unit)| {
            let unit_id = unit.map(|unit| self.units[unit]);
            json!({"user_id": user, "permission": permission, "unit_id": unit_id})
        });
        let mut body = json!({"checks": checks.collect::<Vec<_>>()});
        if let Some(of) = of {
            body["as_of"] = of.position.into();
        }
        let answers = ask(self.world, &self.org.owner, &body).await;
        let state = of.unwrap_or(&self.state);
        let items = answers["items"].as_array().unwrap();
        assert_eq!(items.len(), 100);
        for ((user, permission, unit), answer) in triples.into_iter().zip(items) {
            let enforced = state.enforced(user, permission, &self.path(unit));
            assert_eq!(answer["allowed"], enforced, "{answer:#}");
            assert_eq!(
                answer["at"]["position"], items[0]["at"]["position"],
                "one position for all"
            );
            if of.is_some() {
                assert_eq!(answer["at"]["position"], state.position);
            }
            let evidence = answer["evidence"].as_array().unwrap();
            assert!(!enforced || !evidence.is_empty());
            for fact in evidence {
                assert!(fact["since"]["position"].as_i64().unwrap() <= state.position, "{fact:#}");
                assert_eq!(fact["since"]["actor_id"], "system");
            }
        }
    }
}

async fn ask(world: &World, person: &Person, body: &Value) -> Value {
    // Whoever brings a token, of however long ago, is answered from the log and not from a moment ago.
    let token = world.place(person.tenant, 1, 0);
    let request = world.ask(Method::POST, "/rbac/check", Some(person)).json(body);
    let request = request.header("consistency-token", token);
    crate::support::json(request.send().await.unwrap()).await
}

#[tokio::test]
async fn ten_thousand_answers_are_the_enforcers_now_and_at_past_positions() {
    let world = World::without_projections().await;
    let mut story = Story::begin(&world).await;
    for _ in 0..120 {
        story.step().await;
    }
    for _ in 0..95 {
        let chosen = story.numbers.below(story.past.len());
        let past = story.past[chosen].clone();
        story.compare(Some(&past)).await;
    }
    for _ in 0..5 {
        story.compare(None).await;
    }
    // The set that the guard of every route looks into says the same.
    for user in story.users.clone() {
        let path = format!("/rbac/users/{user}/permissions");
        let set = world.body(&path, &story.org.owner).await["permissions"].clone();
        for permission in ASKED {
            let (user, access) = (&story.state.users[&user], story.state.access.get(&user));
            if user.status == Status::Active && access.is_some() {
                let listed = set.as_array().unwrap().contains(&permission.into());
                let check = json!({"user_id": path.split('/').nth(3), "permission": permission});
                assert_eq!(ask(&world, &story.org.owner, &check).await["allowed"], listed);
            }
        }
    }
    world.end().await;
}

#[tokio::test]
async fn an_answer_names_the_events_and_who_did_it_also_when_it_is_no_longer_so() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let ann = world.person(org.tenant, "ann").await;
    let role = world.role(&org, "auditor", &["audit.*:read"]).await;
    let assigned = world.assign(&org, ann.user, role).await;
    let check = json!({"user_id": ann.user, "permission": "audit.trail:read"});
    let answer = ask(&world, &org.owner, &check).await;
    assert_eq!(answer["allowed"], true);
    let evidence = answer["evidence"].as_array().unwrap();
    let facts: Vec<_> = evidence.iter().map(|fact| fact["fact"].as_str().unwrap()).collect();
    assert_eq!(facts, ["assigned", "granted"]);
    assert_eq!(evidence[0]["since"]["position"], assigned);
    assert_eq!(evidence[0]["since"]["event_type"], "rbac.user_access.role_assigned");
    assert_eq!(evidence[0]["since"]["actor_id"], org.owner.user.to_string());
    assert_eq!(evidence[1]["permission"], "audit.*:read");
    assert_eq!(evidence[1]["since"]["position"], assigned - 1);

    let removed = world.unassign(&org, ann.user, role).await;
    let now = ask(&world, &org.owner, &check).await;
    assert_eq!(now["reason"]["missing"][0]["lack"], "not_granted");
    let before = with(&check, "as_of", json!(removed - 1));
    assert_eq!(ask(&world, &org.owner, &before).await["allowed"], true);
    let then = answer["evidence"][0]["since"]["recorded_at"].as_str().unwrap().to_owned();
    let at_time = with(&check, "as_of", json!(then));
    let at_time = ask(&world, &org.owner, &at_time).await;
    assert_eq!((&at_time["allowed"], &at_time["at"]["position"]), (&true.into(), &assigned.into()));

    let left = user::Event::Deactivated { reason: "left".into() };
    let position = world.append::<User>((org.tenant, "system"), ann.user, [left]).await;
    let gone = ask(&world, &org.owner, &check).await;
    assert_eq!(gone["reason"]["missing"][0]["lack"], "user_deactivated");
    assert_eq!(gone["evidence"][0]["ended"]["position"], position);
    for as_of in [json!("tomorrow"), json!("2999-01-01T00:00:00Z"), json!(1_000_000), json!(-1)] {
        let body = with(&check, "as_of", as_of);
        let request = world.ask(Method::POST, "/rbac/check", Some(&org.owner)).json(&body);
        let (status, problem) = problem(request.send().await.unwrap()).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &"AS_OF_INVALID".into()));
    }
    world.end().await;
}

fn with(body: &Value, name: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[name] = value;
    body
}

#[tokio::test]
async fn a_review_tells_who_gained_and_lost_what_and_by_which_events() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let (ann, bob) = (world.person(org.tenant, "ann").await, world.person(org.tenant, "bob").await);
    let reader = world.role(&org, "reader", &["rbac.roles:read"]).await;
    let from = world.assign(&org, bob.user, reader).await;
    let assigned = world.assign(&org, ann.user, reader).await;
    let removed = world.unassign(&org, bob.user, reader).await;
    let trail =
        policy::Event::PermissionGranted { role_id: reader, permission: "audit.trail:read".into() };
    let granted = world.append::<Policy>((org.tenant, "system"), org.tenant, [trail]).await;

    let review = world.body(&format!("/rbac/review?from={from}"), &org.owner).await;
    assert_eq!(column(&review, "name"), ["ann", "bob"]);
    let (first, second) = (&review["items"][0], &review["items"][1]);
    assert_eq!((&first["gained_count"], &first["lost_count"]), (&2.into(), &0.into()));
    let gained = &first["gained"];
    assert_eq!(gained[0]["permission"], "audit.trail:read");
    assert_eq!(
        [&gained[0]["events"][0]["position"], &gained[0]["events"][1]["position"]],
        [assigned, granted]
    );
    assert_eq!(gained[1]["events"][0]["actor_id"], org.owner.user.to_string());
    assert_eq!(second["lost"][0]["permission"], "rbac.roles:read");
    assert_eq!(second["lost"][0]["events"][0]["position"], removed);

    let path = format!("/rbac/review?by=role&from={from}&to={granted}");
    let review = world.body(&path, &org.owner).await;
    assert_eq!(column(&review, "name"), ["reader"]);
    assert_eq!(review["items"][0]["gained"][0]["events"][0]["position"], granted);

    // A page looks at one user and says where the next begins.
    let mut names = Vec::new();
    let mut next = Some(String::new());
    while let Some(after) = next {
        let path = format!("/rbac/review?from={from}&limit=1{after}");
        let page = world.body(&path, &org.owner).await;
        names.extend(column(&page, "name"));
        next = page["page"]["next"].as_str().map(|next| format!("&after={next}"));
    }
    assert_eq!(names, ["ann", "bob"]);
    world.end().await;
}

#[tokio::test]
async fn a_page_of_a_cold_review_reads_the_log_in_few_questions_however_many_users_it_looks_at() {
    const USERS: i64 = 200;
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let reader = world.role(&org, "reader", &["rbac.roles:read"]).await;
    let mut from = 0;
    for n in 1..USERS {
        let user: UserId = new();
        let registered = user::Event::Registered {
            handle: format!("user{n}"),
            display_name: "Somebody".into(),
            email: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
        };
        from = world.append::<User>((org.tenant, "system"), user, [registered]).await;
        world.assign(&org, user, reader).await;
    }
    let questions = async || -> i64 {
        sqlx::query_scalar(
            "select xact_commit from pg_stat_database where datname = current_database()",
        )
        .fetch_one(&world.log)
        .await
        .unwrap()
    };
    let before = questions().await;
    let path = format!("/rbac/review?from={from}&limit={USERS}");
    let review = world.body(&path, &org.owner).await;
    assert_eq!(column(&review, "name"), [format!("user{}", USERS - 1)]);
    assert_eq!(review["page"]["next"], Value::Null);
    let asked = questions().await - before;
    // One question for each user, account and moment would be 800; the rest of the house asks for itself meanwhile.
    assert!(asked < USERS, "{asked} questions");
    world.end().await;
}
