//! Permission checks and role assignments in a large organisation, beside the same in a small one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use command_api::log::{Append, Outcome, StreamWrite, Writer};
use events::envelope::encode;
use events::identity::user::{Event as UserEvent, User};
use events::rbac::policy::{Event as PolicyEvent, Policy, RoleCreated};
use events::rbac::user_access::{Event as AccessEvent, UserAccess};
use events::{Decider, RoleId, TenantId, UserId};
use platform::clock;
use platform::lifecycle::{Shutdown, Tasks};
use serde_json::json;
use tokio::sync::Notify;

use crate::Effort;
use crate::bed::{Bed, Founded};
use crate::http::request;
use crate::load::{self, FRESH, Plan};
use crate::report::{Aim, Report};

const CONNECTIONS: &[usize] = &[1, 8];
const CHECK: &str = "POST /rbac/check of somebody";
const ALLOWED: &str = "POST /rbac/check of somebody who may, with its evidence";
const ASSIGN: &str = "POST /rbac/assign";
/// Events of one append.
const PORTION: usize = 2_000;
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// What the organisation of the aims looks like.
const LARGE: Size = Size { name: "10,000 roles", slug: "large", roles: 10_000, users: 20_000 };
const SMALL: Size = Size { name: "20 roles", slug: "small", roles: 20, users: 20_000 };
/// Of so many permissions of the organisation's own each role grants [`GRANTS`].
const PERMISSIONS: usize = 3_000;
/// 300,000 in the large organisation, one of them to [`EVERYBODYS`].
const GRANTS: usize = 30;
/// What every role grants.
const EVERYBODYS: &str = "shop.door:read";

/// How large an organisation is.
struct Size {
    name: &'static str,
    slug: &'static str,
    roles: usize,
    users: usize,
}

/// An organisation that is lived in.
struct Organization {
    size: &'static Size,
    roles: Vec<RoleId>,
    users: Vec<String>,
}

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("access", effort, bed.machine().await?);
    let commands = bed.command_api().await?;
    let mut organizations = Vec::new();
    for size in [&SMALL, &LARGE] {
        let founded = bed.found_as(size.slug).await?;
        organizations.push(Organization::settle(&bed, size, &founded).await?);
    }
    sqlx::query("vacuum analyze").execute(&bed.owner).await?;
    let mut queries = bed.serve("query-api")?;
    queries.ready(bed.settings.query_addr).await?;
    let mut turn = 0;
    for _ in 0..effort.rounds {
        for connections in CONNECTIONS.iter().copied() {
            turn += 1;
            for organization in &organizations {
                let load = Load { connections, seconds: effort.seconds, turn };
                organization.measure(&mut report, &bed, &load).await?;
            }
        }
    }
    for (what, most) in [(CHECK, 5.0), (ALLOWED, 5.0), (ASSIGN, 20.0)] {
        for connections in CONNECTIONS {
            let what = format!("{what}, {connections} connection(s)");
            report.aim(&what, LARGE.name, "ms p99", Aim::AtMost(most));
            report.ratio(&what, (LARGE.name, SMALL.name), "ms p50", None);
        }
    }
    for (who, process) in [("command-api", &commands), ("query-api", &queries)] {
        report.add("resident at most", who, "MiB", process.resident().peak_mib());
    }
    queries.stop().await?;
    commands.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}

/// How hard, and for which time: every turn assigns a role that nobody has yet.
struct Load {
    connections: usize,
    seconds: u64,
    turn: usize,
}

impl Organization {
    /// Fills a new organisation through the log: its roles and their grants, its users, each with two roles.
    async fn settle(bed: &Bed, size: &'static Size, founded: &Founded) -> anyhow::Result<Self> {
        let tasks = Tasks::new(Shutdown::new());
        let writer = Writer::start(bed.url().to_owned(), Arc::new(Notify::new()), &tasks);
        let tenant: TenantId = founded.tenant.parse()?;
        let roles: Vec<RoleId> = (0..size.roles).map(|_| clock::new_id()).collect();
        let users: Vec<UserId> = (0..size.users).map(|_| clock::new_id()).collect();
        let own = (0..PERMISSIONS).map(permission).chain([EVERYBODYS.to_owned()]).map(created);
        let of_roles = (0..).zip(&roles).flat_map(|(n, id)| role(n, *id));
        let of_policy: Vec<PolicyEvent> = own.chain(of_roles).collect();
        for portion in of_policy.chunks(PORTION) {
            let stream = stream::<Policy>(&tenant.to_string(), portion)?;
            store(&writer, tenant, vec![stream]).await?;
        }
        let front = &roles[..roles.len() / 2];
        let numbered: Vec<_> = (0..).zip(&users).collect();
        for portion in numbered.chunks(PORTION / 2) {
            let mut streams = Vec::new();
            for (number, id) in portion {
                streams.push(stream::<User>(&id.to_string(), &[user(*number)])?);
                let given = [0, 1].map(|more| given(front[(number * 7 + more) % front.len()]));
                streams.push(stream::<UserAccess>(&id.to_string(), &given)?);
            }
            store(&writer, tenant, streams).await?;
        }
        drop(writer);
        tasks.shutdown().begin();
        ensure!(tasks.join(STOP_LIMIT).await, "the writer does not end");
        let users = users.iter().map(ToString::to_string).collect();
        Ok(Self { size, roles, users })
    }

    /// Checks and assignments, each of somebody else.
    async fn measure(&self, report: &mut Report, bed: &Bed, load: &Load) -> anyhow::Result<()> {
        let token = bed.sign_in_to(self.size.slug).await?;
        let check =
            |permission: &str| json!({"permission": permission, "user_id": FRESH}).to_string();
        // From the end: nobody has those at first.
        let role = self.roles[self.roles.len() - 1 - load.turn % self.roles.len()];
        let assign = json!({"user_id": FRESH, "role_id": role}).to_string();
        for (what, path, address, body) in [
            (CHECK, "/api/v1/rbac/check", bed.settings.query_addr, check(&permission(load.turn))),
            (ALLOWED, "/api/v1/rbac/check", bed.settings.query_addr, check(EVERYBODYS)),
            (ASSIGN, "/api/v1/rbac/assign", bed.settings.command_addr, assign),
        ] {
            let plan = Plan {
                address,
                connections: load.connections,
                seconds: load.seconds,
                request: request("POST", path, &token, "", Some(&body)),
                ids: self.users.clone(),
                status: 200,
            };
            let tally = load::drive(&plan).await?;
            let what = format!("{what}, {} connection(s)", load.connections);
            report.add(&what, self.size.name, "/s", tally.per_second);
            report.add(&what, self.size.name, "ms p50", tally.p50);
            report.add(&what, self.size.name, "ms p99", tally.p99);
        }
        Ok(())
    }
}

fn permission(number: usize) -> String {
    format!("shop.item{}:read", number % PERMISSIONS)
}

fn created(name: String) -> PolicyEvent {
    let permission_id = clock::new_id();
    PolicyEvent::PermissionCreated { permission_id, name, description: None, implies: Vec::new() }
}

/// A role and what it grants: by steps that let no two roles grant the same.
fn role(number: usize, role_id: RoleId) -> [PolicyEvent; 2] {
    let created = RoleCreated {
        role_id,
        name: format!("Role {number}"),
        code: format!("role-{number}"),
        description: None,
        level: 10,
        unit_id: None,
        system: false,
        protected: false,
    };
    let step = 1 + number % 97;
    let own = (1..GRANTS).map(|grant| permission(number + grant * step));
    let added = own.chain([EVERYBODYS.to_owned()]).collect();
    [
        PolicyEvent::RoleCreated(created),
        PolicyEvent::RolePermissionsReplaced { role_id, added, removed: Vec::new() },
    ]
}

fn user(number: usize) -> UserEvent {
    UserEvent::Registered {
        handle: format!("user-{number}"),
        display_name: format!("User Number {number}"),
        email: None,
        locale: "en".into(),
        time_zone: "UTC".into(),
    }
}

fn given(role_id: RoleId) -> AccessEvent {
    AccessEvent::RoleAssigned { role_id, unit_id: None, expires_at: None }
}

fn stream<D: Decider>(id: &str, events: &[D::Event]) -> anyhow::Result<StreamWrite> {
    let events = events.iter().map(|event| Ok((clock::new_id(), encode(event)?)));
    let events = events.collect::<anyhow::Result<_>>()?;
    Ok(StreamWrite { kind: D::TYPE, id: id.to_owned(), expected: None, events, claims: vec![] })
}

async fn store(writer: &Writer, tenant: TenantId, streams: Vec<StreamWrite>) -> anyhow::Result<()> {
    let append = Append::of(tenant, streams, "{}".into());
    let outcome = writer.append(append).await?;
    ensure!(matches!(outcome, Outcome::Stored(_)), "the organisation was not filled: {outcome:?}");
    Ok(())
}
