//! Who gained and who lost what between two moments, per user or per role, with the events that did it; from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::events::rbac::policy::Policy;
use ::events::rbac::resolve::evidence::Fact;
use ::events::rbac::resolve::review::{Held, Person, granted, way_to};
use ::events::{Module, Permission, RoleId, UserId};
use axum::http::HeaderMap;
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
use crate::answer::{Stamped, stamped};
use crate::ask::Asked;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::paging::{Beside, Start};
use crate::past::Moment;
use crate::shape::query;

const PARAMETERS: &[Parameter] = &[
    query("from", "the earlier moment: a position of the log or an RFC 3339 time"),
    query("to", "the later moment; now when absent"),
    query("by", "`user` unless told, or `role`"),
    query("limit", "users or roles looked at for a page: 50 unless told, at most 200"),
    query("after", "`page.next` of the page before"),
];
const DEFAULT_LOOKED_AT: i64 = 50;
const MAX_LOOKED_AT: i64 = 200;
/// The most permissions of one user or role that are told with their events; all are counted.
const MAX_TOLD: usize = 100;

/// What changed between two moments. A page looks at so many users or roles and tells of those with a difference, so it can be
/// empty and not the last.
#[derive(Debug, Serialize, JsonSchema)]
struct Review {
    items: Vec<Item>,
    page: Next,
    from: Moment,
    to: Moment,
}

/// Where the next page begins.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Next {
    /// For `after`; nothing at the end.
    pub(super) next: Option<Uuid>,
    pub(super) limit: i64,
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
        .answers::<Stamped<Review>>(200);
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

pub(super) fn limit(call: &Call) -> Result<i64, Problem> {
    Ok(call.number("limit")?.unwrap_or(DEFAULT_LOOKED_AT).clamp(1, MAX_LOOKED_AT))
}

pub(super) fn after(call: &Call) -> Result<Option<Uuid>, Problem> {
    let refused = |_| Problem::bad_request("PARAMETER_INVALID", "after must be a page.next");
    call.parameter("after").map(str::parse).transpose().map_err(refused)
}

async fn by_user(call: &Call) -> Result<Response, Problem> {
    let (from, to) = moments(call).await?;
    let limit = limit(call)?;
    let start = Start::read(call, "after")?;
    let (users, next) = users(call, start.from, limit).await?;
    let (asked, span) = span(call, (from, to), &users).await?;
    let drafts: Vec<Draft> = users.iter().filter_map(|user| of_user(&span, *user)).collect();
    answer(call, &asked, &span, drafts, (start, Next { next, limit })).await
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

/// The users of one page, in the order of their ids, and where the next begins.
async fn users(
    call: &Call,
    after: Option<Uuid>,
    limit: i64,
) -> Result<(BTreeSet<UserId>, Option<Uuid>), Problem> {
    let mut statement = Statement::default();
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let number = statement.bind(Bind::Text(Some(after)));
    statement.sql = format!(
        "select s.aggregate_id from log.streams s where s.aggregate_type = 'identity.user' \
         and s.aggregate_id > ${number} order by s.aggregate_id limit {}",
        limit + 1
    );
    let asked = call.ask(&[], &statement).await?;
    let mut ids = Vec::with_capacity(asked.rows.len());
    for row in &asked.rows {
        let id: &str = row.try_get(0)?;
        ids.extend(id.parse::<UserId>().ok());
    }
    let more = i64::try_from(ids.len()).is_ok_and(|found| found > limit);
    ids.truncate(usize::try_from(limit).unwrap_or_default());
    let next = ids.last().filter(|_| more).map(|id| id.0);
    Ok((ids.into_iter().collect(), next))
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
    let (limit, start) = (limit(call)?, Start::read(call, "after")?);
    let beyond = start.from.map(RoleId);
    let (asked, span) = span(call, moments(call).await?, &BTreeSet::new()).await?;
    let (before, after) = (&span.before.policy.state, &span.after.policy.state);
    let all: BTreeSet<RoleId> = before.roles().chain(after.roles()).map(|(id, _)| id).collect();
    let rest = all.into_iter().filter(|id| beyond.is_none_or(|beyond| *id > beyond));
    let page = usize::try_from(limit).unwrap_or_default();
    let mut looked_at: Vec<RoleId> = rest.take(page + 1).collect();
    let more = looked_at.len() > page;
    looked_at.truncate(page);
    let next = looked_at.last().filter(|_| more).map(|id| id.0);
    let drafts = looked_at.into_iter().filter_map(|id| of_role(before, after, id)).collect();
    answer(call, &asked, &span, drafts, (start, Next { next, limit })).await
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
    (start, page): (Start<Uuid>, Next),
) -> Result<Response, Problem> {
    let (from, to) = (span.before.moment, span.after.moment);
    let all = drafts.iter().flat_map(|draft| draft.gained.iter().chain(&draft.lost));
    let facts = all.flat_map(|(_, facts)| facts.iter().cloned()).collect();
    let found = search(call, &span.after.policy.state, to.position, facts).await?;
    let items = drafts.into_iter().map(|draft| item(draft, &found, from.position)).collect();
    let mut links = HeaderMap::new();
    start.told(call, asked, &Beside::onward(page.next), &mut links)?;
    let mut response = stamped(call, asked, Review { items, page, from, to });
    response.headers_mut().extend(links);
    Ok(response)
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
