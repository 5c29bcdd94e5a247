//! Queries per second beside the same `select` through pgbench, and permission checks from memory, Redis and Postgres.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use events::rbac::policy::Policy;
use events::{Actor, ActorKind, Permission};
use platform::access::{Access, Shared, authorize};
use platform::aggregates::Aggregates;
use platform::clock;
use platform::dataset::filter::{At, Comparison, Filter, Operator, Value};
use platform::dataset::{self, Query};
use platform::db::{self, Role};
use platform::principal::Principal;
use platform::secrets::MasterKey;
use sqlx::PgPool;

use super::project;
use crate::Effort;
use crate::bed::fill::{fill, id_in_sql, users};
use crate::bed::{Bed, Founded};
use crate::http::request;
use crate::load::{self, FRESH, Plan};
use crate::pgbench::Pgbench;
use crate::report::Report;
use crate::samples::float;

const CONNECTIONS: &[usize] = &[1, 8, 32];
const PER_SECOND: &str = "/s";
const ANNALS: &str = "query-api";
const PGBENCH: &str = "pgbench";
const POINT: &str = "a user by id";
const LIST: &str = "50 users";
const CHECK: &str = "POST /rbac/check";
const CHECKED: &str = "permission check";
/// Versions, account and session come from Postgres, the effective set from Redis; the connections are there.
const FROM_REDIS: &str = "from Redis";
/// Versions, account, session, policy and roles, all folded anew.
const FROM_POSTGRES: &str = "from Postgres";
const PAGE_ROWS: u32 = 50;
const LIMIT: Duration = Duration::from_mins(2);

struct Contest {
    what: &'static str,
    request: String,
    ids: Vec<String>,
    pgbench: Option<Pgbench>,
}

pub(crate) async fn run(effort: &Effort) -> anyhow::Result<Report> {
    let bed = Bed::make().await?;
    let mut report = Report::new("queries", effort, bed.machine().await?);
    let commands = bed.command_api().await?;
    let founded = bed.found().await?;
    let events = if effort.quick { 5_000 } else { 100_000 };
    fill(&bed.owner, &founded.tenant, events).await?;
    project(&bed, LIMIT).await?;
    let ids = users(&bed.owner, 5_000).await?;
    ensure!(!ids.is_empty(), "no users were projected");
    let mut queries = bed.serve("query-api")?;
    queries.ready(bed.settings.query_addr).await?;
    for _ in 0..effort.rounds {
        let founded = Founded { token: bed.sign_in().await?, ..founded.clone() };
        for contest in contests(&bed, &founded, &ids, events)? {
            contest.round(&mut report, &bed, effort).await?;
        }
        checks(&mut report, &bed, &founded, effort.seconds).await?;
    }
    for what in [POINT, LIST] {
        for connections in CONNECTIONS {
            let what = format!("{what}, {connections} connection(s)");
            report.ratio(&what, (ANNALS, PGBENCH), PER_SECOND, None);
        }
    }
    queries.stop().await?;
    commands.stop().await?;
    bed.drop_now().await?;
    Ok(report)
}

fn contests(
    bed: &Bed,
    founded: &Founded,
    ids: &[String],
    events: i64,
) -> anyhow::Result<Vec<Contest>> {
    let get = |path: &str| request("GET", &format!("/api/v1{path}"), &founded.token, "", None);
    let data = dataset::find("identity.users").context("there is no dataset of users")?;
    let by_id = Filter::Is(Comparison {
        path: vec!["user_id".into()],
        operator: Operator::Equal,
        value: Value::text(ids.first().context("no users")?),
        at: At(1),
    });
    let one = dataset::one(data, &Query::everything(data)?.narrowed(data, by_id, None)?);
    let list = dataset::page(data, &Query::everything(data)?, None, PAGE_ROWS);
    ensure!(one.binds.len() == 1 && list.binds.is_empty(), "the statements are not as expected");
    // Sessions that see what query-api sees.
    let options = format!("-c role=query_api -c app.tenant={}", founded.tenant);
    let registered = events / 10 - 2;
    let point = format!(
        "\\set n random(2, {registered})\n{};\n",
        one.sql.replace("$1", &format!("({})::uuid", id_in_sql(":n * 10")))
    );
    let pgbench = |script: &str| -> anyhow::Result<Pgbench> {
        Ok(Pgbench::new(bed.url(), script, Vec::new())?.with_options(options.clone()))
    };
    let check = r#"{"permission":"rbac.roles:manage"}"#;
    let check = request("POST", "/api/v1/rbac/check", &founded.token, "", Some(check));
    Ok(vec![
        Contest {
            what: POINT,
            request: get(&format!("/users/{FRESH}")),
            ids: ids.to_vec(),
            pgbench: Some(pgbench(&point)?),
        },
        Contest {
            what: LIST,
            request: get("/users?limit=50"),
            ids: Vec::new(),
            pgbench: Some(pgbench(&format!("{};\n", list.sql))?),
        },
        Contest { what: CHECK, request: check, ids: Vec::new(), pgbench: None },
    ])
}

impl Contest {
    async fn round(&self, report: &mut Report, bed: &Bed, effort: &Effort) -> anyhow::Result<()> {
        for connections in CONNECTIONS.iter().copied() {
            let what = format!("{}, {connections} connection(s)", self.what);
            if let Some(pgbench) = &self.pgbench {
                let counted = pgbench.run(connections, effort.seconds).await?;
                report.add(&what, PGBENCH, PER_SECOND, counted.per_second);
                report.add(&what, PGBENCH, "ms p99", counted.p99);
            }
            let plan = Plan {
                address: bed.settings.query_addr,
                connections,
                seconds: effort.seconds,
                request: self.request.clone(),
                ids: self.ids.clone(),
                status: 200,
            };
            let tally = load::drive(&plan).await?;
            report.add(&what, ANNALS, PER_SECOND, tally.per_second);
            report.add(&what, ANNALS, "ms p99", tally.p99);
        }
        Ok(())
    }
}

/// The check itself, without HTTP: one caller, one after the other.
async fn checks(
    report: &mut Report,
    bed: &Bed,
    founded: &Founded,
    seconds: u64,
) -> anyhow::Result<()> {
    let principal = Principal {
        tenant: founded.tenant.parse()?,
        actor: Actor {
            kind: ActorKind::User,
            id: founded.user.clone(),
            session_id: Some(founded.session.parse()?),
            on_behalf_of: None,
            api_key_id: None,
        },
        expires_at: clock::now(),
        key: None,
        through: None,
    };
    let pool = db::connect(bed.url(), Role::QueryApi, 2).await?;
    let master = MasterKey::parse(&bed.settings.master_key)?;
    let shared = Shared::open(&bed.settings.redis_url, &master)?.context("there is no Redis")?;
    let kept = Process::new(&pool, None);
    let from_memory = rate(seconds, async || kept.may(&principal).await).await?;
    report.add(CHECKED, "from memory", PER_SECOND, from_memory);
    // Counts only what Redis answered; what it did not, the first check and a hiccup, costs its time.
    let from_redis = rate(seconds, async || {
        loop {
            let process = Process::new(&pool, Some(shared.clone()));
            process.may(&principal).await?;
            if !process.has_folded(&principal) {
                return Ok(());
            }
        }
    });
    let from_redis = tokio::time::timeout(LIMIT, from_redis).await.context("redis is silent")??;
    report.add(CHECKED, FROM_REDIS, PER_SECOND, from_redis);
    let from_log = rate(seconds, async || Process::new(&pool, None).may(&principal).await);
    report.add(CHECKED, FROM_POSTGRES, PER_SECOND, from_log.await?);
    pool.close().await;
    Ok(())
}

/// A process that has just started, as far as checks go.
struct Process {
    access: Access,
    aggregates: Aggregates,
}

impl Process {
    fn new(pool: &PgPool, shared: Option<Shared>) -> Self {
        let aggregates = Aggregates::new(pool.clone(), 1_000);
        Self { access: Access::new(aggregates.clone(), shared), aggregates }
    }

    async fn may(&self, principal: &Principal) -> anyhow::Result<()> {
        let standing = self.access.current(principal).await?;
        authorize(principal, standing.as_ref(), Permission::RbacRolesManage)
            .map_err(|problem| anyhow::anyhow!("the owner may not: {}", problem.detail))
    }

    /// Whether an answer took the policy itself.
    fn has_folded(&self, principal: &Principal) -> bool {
        let tenant = principal.tenant;
        self.aggregates.kept::<Policy>(tenant, &tenant.to_string()).is_some()
    }
}

async fn rate(seconds: u64, check: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut done = 0;
    while Instant::now() < end {
        check().await?;
        done += 1;
    }
    Ok(float(done) / began.elapsed().as_secs_f64())
}
