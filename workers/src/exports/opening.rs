//! What a file is made of, all of it as of one place in the log: rights, names, settings and rows.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use events::UserId;
use events::identity::organization::Organization;
use events::identity::user::User;
use events::rbac::user_access::UserAccess;
use events::settings::Key;
use platform::dataset::Dataset;

use super::order::{Order, Plan};
use super::refusal::Refusal;
use super::render::{Header, Look, Paper};
use super::rows::{self, Rows};
use super::{as_of, changes};
use crate::runtime::{Job, Office};

/// How long the projection may need to come up to the request.
const CATCH_UP: Duration = Duration::from_secs(15);
const CATCH_UP_POLL: Duration = Duration::from_millis(50);
/// How often it is read again while something changes meanwhile.
const READ_AT_MOST: usize = 5;

/// What a file is made of.
pub(super) struct Opened {
    pub(super) plan: Plan,
    pub(super) rows: Rows,
    pub(super) header: Header,
}

impl Opened {
    /// Reads all of it, and again where names, rights or settings changed meanwhile.
    pub(super) async fn at_one_place(
        office: &Office,
        job: &Job,
        order: &Order,
    ) -> Result<Self, Refusal> {
        for _ in 0..READ_AT_MOST {
            let before = as_of::head(&office.pool).await?;
            let opened = Self::read(office, job, order, before).await?;
            if !as_of::moved(&office.pool, job.tenant_id, before).await? {
                return Ok(opened);
            }
        }
        let moving = anyhow!("names, rights or settings of the organisation change all the time");
        Err(Refusal::Trouble(moving))
    }

    async fn read(office: &Office, job: &Job, order: &Order, head: i64) -> Result<Self, Refusal> {
        let (pool, tenant) = (&office.pool, job.tenant_id);
        let plan = order.query(office, tenant).await?;
        caught_up(office, plan.dataset, head.max(order.position)).await?;
        let mut rows = Rows::open(pool, tenant, plan.dataset, &plan.query).await?;
        if plan.dataset.is_sealed() {
            rows = rows.opening(pool, &office.personal);
        }
        let header = header(office, job, (order, &plan), &rows).await?;
        Ok(Self { plan, rows, header })
    }
}

async fn header(
    office: &Office,
    job: &Job,
    (order, plan): (&Order, &Plan),
    rows: &Rows,
) -> anyhow::Result<Header> {
    let tenant = job.tenant_id;
    let organization =
        office.aggregates.refresh::<Organization>(tenant, &tenant.to_string()).await?;
    let user = office.aggregates.refresh::<User>(tenant, &order.requested_by.to_string()).await?;
    let change = order.options.changes.map(|_| changes::column());
    let columns = rows::columns(&plan.query, order.format, &order.options);
    let columns = change.into_iter().chain(columns).collect();
    Ok(Header {
        title: order.title.clone().unwrap_or_else(|| plan.dataset.label.to_owned()),
        organization: organization.state.name.clone(),
        requested_by: user.state.display_name.clone(),
        columns,
        locale: order.locale.clone(),
        zone: order.zone(),
        position: rows.as_of.position,
        filter: order.filter.clone().unwrap_or_default(),
        counts: Vec::new(),
        as_of: rows.as_of.time,
        rows_total: rows.total,
        look: look(order),
        paper: paper(office, job, (&organization.state, order.requested_by), rows).await?,
        layout: order.layout.clone(),
    })
}

fn look(order: &Order) -> Look {
    let (options, format) = (&order.options, order.format);
    let place = |key: &String| order.columns.iter().position(|column| column == key);
    Look {
        style: options.style(format),
        dialect: options.dialect(),
        cover: options.cover,
        totals: options.totals.iter().filter_map(place).collect(),
        limits: options.limit_policy(format),
    }
}

/// What whoever asked prints on, or is printed on where they work: in the one unit in which they have roles, in the whole organisation
/// where those are several or none.
async fn paper(
    office: &Office,
    job: &Job,
    (organization, user): (&Organization, UserId),
    rows: &Rows,
) -> anyhow::Result<Paper> {
    let tenant = job.tenant_id;
    let access = office.aggregates.refresh::<UserAccess>(tenant, &user.to_string()).await?;
    let home = access.state.home(rows.as_of.time);
    let path = home.map(|unit| organization.path(unit)).unwrap_or_default();
    let paper = office.setting_for((tenant, user), &path, Key::ExportsPaper).await?;
    paper.text().unwrap_or_default().parse().context("exports.paper names no paper")
}

/// Waits, not for long, until the rows reflect the moment of the request.
async fn caught_up(office: &Office, dataset: &Dataset, position: i64) -> Result<(), Refusal> {
    let start = Instant::now();
    while rows::position(&office.pool, dataset).await? < position {
        if start.elapsed() > CATCH_UP {
            let behind = anyhow!("the rows of {} are behind the log", dataset.name);
            return Err(Refusal::Trouble(behind));
        }
        tokio::time::sleep(CATCH_UP_POLL).await;
    }
    Ok(())
}
