//! Who gained and who lost what between two moments, per user or per role, with the events that did it; from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::events::rbac::policy::Policy;
use ::events::rbac::resolve::evidence::Fact;
use ::events::rbac::resolve::review::{Held, Person, granted, way_to};
use ::events::{Module, Permission, RoleId, UserId};
use axum::response::Response;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use uuid::Uuid;

use super::evidence::{Found, Origin, search};
use super::places::States;
use crate::ask::Asked;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::push_json;
use crate::paging::{self, Beside, Page, Paged, Start};
use crate::past::Moment;
use crate::shape::{AFTER, query};

const PARAMETERS: &[Parameter] = &[
    query("from", "the earlier moment: a position of the log or an RFC 3339 time"),
    query("to", "the later moment; now when absent"),
    query("by", "`user` unless told, or `role`"),
    query("limit", "users or roles looked at for a page: 50 unless told, at most 200"),
    AFTER,
];
/// How many are looked at for a page unless told, and the most.
pub(super) const LOOKED_AT: (u32, u32) = (50, 200);
/// The most permissions of one user or role that are told with their events; all are counted.
const MAX_TOLD: usize = 100;

/// What changed between two moments. A page looks at so many users or roles and tells of those with a difference, so it can be
/// empty and not the last.
#[derive(Debug, Serialize, JsonSchema)]
struct Review {
    items: Vec<Item>,
    from: Moment,
    to: Moment,
}

/// What one user or role gained and lost.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_id: Option<RoleId>,
    /// The user's handle or the role's code.
    name: String,
    gained_count: usize,
    lost_count: usize,
    /// What is had since, at most 100 of it.
    gained: Vec<Change>,
    /// What is had no longer, at most 100 of it.
    lost: Vec<Change>,
}

/// A permission gained or lost, or of a role a name or pattern.
#[derive(Debug, Serialize, JsonSchema)]
struct Change {
    #[serde(flatten)]
    held: Held,
    /// The events that did it; none where it was time alone, or a unit that was moved.
    events: Vec<Origin>,
}

/// A change with the facts among which its events are looked for.
type Wanted = (Held, Vec<Fact>);

/// One user or role, before its events are known.
struct Draft {
    user_id: Option<UserId>,
    role_id: Option<RoleId>,
    name: String,
    gained: Vec<Wanted>,
    lost: Vec<Wanted>,
    counts: (usize, usize),
}

/// The two moments and what stood then.
struct Span {
    before: States,
    after: States,
}

pub(super) fn review() -> Endpoint {
    let route = Route::get("/rbac/review", Module::Rbac, "rbac_review")
        .summary(
            "Who gained and who lost which permissions between two moments, and by which events",
        )
        .needs(Permission::RbacAssignmentsRead)
        .parameters(PARAMETERS)
        .answers::<Paged<Review>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["from", "to", "by", "limit", "after"])?;
        match call.parameter("by").unwrap_or("user") {
            "user" => by_user(&call).await,
            "role" => by_role(&call).await,
            _ => Err(Problem::bad_request("PARAMETER_INVALID", "by must be user or role")),
        }
    })
}

async fn moments(call: &Call) -> Result<(Moment, Option<Moment>), Problem> {
    let from = call.parameter("from").unwrap_or_default();
    let from = call.moment("from", from).await?;
    let to = match call.parameter("to") {
        None => None,
        Some(text) => Some(call.moment("to", text).await?),
    };
    if to.is_some_and(|to| to.position < from.position) {
        return Err(Problem::bad_request("PARAMETER_INVALID", "to must not lie before from"));
    }
    Ok((from, to))
}

/// The size of a page, and where it begins.
pub(super) fn begin(call: &Call) -> Result<(u32, Start<Uuid>), Problem> {
    Ok((paging::limit(call, LOOKED_AT)?, Start::read(call, "after")?))
}

async fn by_user(call: &Call) -> Result<Response, Problem> {
    let (from, to) = moments(call).await?;
    let (limit, start) = begin(call)?;
    let (users, beside) = users(call, &start, limit).await?;
    let (asked, span) = span(call, (from, to), &users).await?;
    let drafts: Vec<Draft> = users.iter().filter_map(|user| of_user(&span, *user)).collect();
    let page = start.page(call, &asked, &beside, limit)?;
    answer(call, &asked, &span, drafts, page).await
}

async fn span(
    call: &Call,
    (from, to): (Moment, Option<Moment>),
    users: &BTreeSet<UserId>,
) -> Result<(Asked, Span), Problem> {
    let (_, before) = States::read(call, Some(from), users).await?;
    let (asked, after) = States::read(call, to, users).await?;
    Ok((asked, Span { before, after }))
}

/// The users of one page, in the order of their ids, and the pages beside it.
async fn users(
    call: &Call,
    start: &Start<Uuid>,
    limit: u32,
) -> Result<(BTreeSet<UserId>, Beside<Uuid>), Problem> {
    let mut statement = Statement::default();
    let from = start.from.map(|id| id.to_string()).unwrap_or_default();
    let number = statement.bind(Bind::Text(Some(from)));
    let (symbol, direction) = start.order(false);
    statement.sql = format!(
        "select s.aggregate_id from log.streams s where s.aggregate_type = 'identity.user' \
         and s.aggregate_id {symbol} ${number} order by s.aggregate_id {direction} limit {}",
        limit + 1
    );
    let asked = call.ask(&[], &statement).await?;
    let mut ids = Vec::with_capacity(asked.rows.len());
    for row in &asked.rows {
        let id: &str = row.try_get(0)?;
        ids.extend(id.parse::<UserId>().ok());
    }
    let (ids, beside) = start.cut(ids, limit, |id| id.0);
    Ok((ids.into_iter().collect(), beside))
}

fn of_user(span: &Span, user_id: UserId) -> Option<Draft> {
    let (before, after) = (span.before.person(user_id)?, span.after.person(user_id)?);
    let difference = after.since(&before);
    if difference.is_empty() {
        return None;
    }
    let counts = (difference.gained.len(), difference.lost.len());
    let facts = |person: &Person<'_>, held: Vec<Held>| {
        let told = held.into_iter().take(MAX_TOLD);
        told.map(|held| (held.clone(), person.ways(&held))).collect()
    };
    Some(Draft {
        user_id: Some(user_id),
        role_id: None,
        name: span.after.handle(user_id).to_owned(),
        gained: facts(&after, difference.gained),
        lost: facts(&before, difference.lost),
        counts,
    })
}

async fn by_role(call: &Call) -> Result<Response, Problem> {
    let (limit, start) = begin(call)?;
    let (asked, span) = span(call, moments(call).await?, &BTreeSet::new()).await?;
    let (before, after) = (&span.before.policy.state, &span.after.policy.state);
    let all: BTreeSet<RoleId> = before.roles().chain(after.roles()).map(|(id, _)| id).collect();
    let is_beyond = |id: &RoleId| match start.from {
        Some(from) if start.back => id.0 < from,
        Some(from) => id.0 > from,
        None => true,
    };
    let mut rest: Vec<RoleId> = all.into_iter().filter(is_beyond).collect();
    if start.back {
        rest.reverse();
    }
    let (looked_at, beside) = start.cut(rest, limit, |id| id.0);
    let drafts = looked_at.into_iter().filter_map(|id| of_role(before, after, id)).collect();
    let page = start.page(call, &asked, &beside, limit)?;
    answer(call, &asked, &span, drafts, page).await
}

fn of_role(before: &Policy, after: &Policy, role_id: RoleId) -> Option<Draft> {
    let (had, has) = (granted(before, role_id), granted(after, role_id));
    let only = |policy: &Policy, of: &BTreeMap<Arc<str>, RoleId>, other: &BTreeMap<_, _>| {
        let only = of.iter().filter(|(name, _)| !other.contains_key(*name));
        let wanted = only.map(|(name, from)| {
            let held = Held { permission: Arc::clone(name), unit_id: None };
            (held, way_to(policy, role_id, *from, name))
        });
        wanted.collect::<Vec<Wanted>>()
    };
    let (mut gained, mut lost) = (only(after, &has, &had), only(before, &had, &has));
    let counts = (gained.len(), lost.len());
    gained.truncate(MAX_TOLD);
    lost.truncate(MAX_TOLD);
    let role = after.role(role_id).or_else(|| before.role(role_id))?;
    let (user_id, name) = (None, role.facts.code.clone());
    let draft = Draft { user_id, role_id: Some(role_id), name, gained, lost, counts };
    (counts != (0, 0)).then_some(draft)
}

async fn answer(
    call: &Call,
    asked: &Asked,
    span: &Span,
    drafts: Vec<Draft>,
    page: Page,
) -> Result<Response, Problem> {
    let (from, to) = (span.before.moment, span.after.moment);
    let all = drafts.iter().flat_map(|draft| draft.gained.iter().chain(&draft.lost));
    let facts = all.flat_map(|(_, facts)| facts.iter().cloned()).collect();
    let found = search(call, &span.after.policy.state, to.position, facts).await?;
    let items = drafts.into_iter().map(|draft| item(draft, &found, from.position));
    let body = paging::items(&items.collect::<Vec<Item>>());
    // The present is another at every moment, and what is not different is no news.
    let mut between = ",\"from\":".to_owned();
    push_json(&mut between, &from);
    between.push_str(",\"to\":");
    push_json(&mut between, &to);
    Ok(paging::respond(call, asked, body, &page, &between))
}

fn item(draft: Draft, found: &Found, from: i64) -> Item {
    let Draft { user_id, role_id, name, gained, lost, counts } = draft;
    let gained =
        gained.into_iter().map(|(held, facts)| Change { held, events: found.made(&facts, from) });
    let lost =
        lost.into_iter().map(|(held, facts)| Change { held, events: found.ended(&facts, from) });
    Item {
        user_id,
        role_id,
        name,
        gained_count: counts.0,
        lost_count: counts.1,
        gained: gained.collect(),
        lost: lost.collect(),
    }
}
