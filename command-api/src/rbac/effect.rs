//! What a change of access would come to, worked out from the log before and after it; nothing is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::identity::organization::Organization;
use events::identity::user::{Status, User};
use events::rbac::policy::Policy;
use events::rbac::resolve::effect::{Effect, Reach};
use events::rbac::resolve::review::Person;
use events::rbac::user_access::{self, UserAccess};
use events::{Decider as _, Permission, UserId};
use platform::clock;
use platform::db;
use platform::problem::Problem;

use crate::facts::Sources;

/// As many users are looked at before the answer says that it is not complete.
const MAX_USERS: usize = 50_000;
const CHUNK_USERS: i64 = 2_000;

/// Of a change of the policy, on everybody who holds a role that it touches.
pub(crate) async fn of_policy(
    sources: &mut Sources<'_>,
    (before, after): (&Policy, &Policy),
) -> Result<Effect, Problem> {
    let mut effect = Effect::none();
    let reach = Reach::of(before, after);
    if reach.is_empty() {
        return Ok(effect);
    }
    let organization = organization(sources).await?;
    let away = deactivated(sources).await?;
    let mut add = |user_id: UserId, access: &UserAccess| {
        let grants = before.protected_grants(user_id).iter().chain(after.protected_grants(user_id));
        let held = grants.chain(access.assignments()).map(|held| held.role_id);
        if !away.contains(&user_id) && reach.touches(user_id, held) {
            let now = clock::now();
            let status = Status::Active;
            let organization = &*organization;
            let then = Person { user_id, status, access, policy: before, organization, now };
            effect.add(user_id, Person { policy: after, ..then }.since(&then));
        }
    };
    let (mut looked_at, mut last) = (BTreeSet::new(), String::new());
    while looked_at.len() < MAX_USERS {
        let chunk = accesses(sources, &last).await?;
        let Some((id, _)) = chunk.last_key_value() else { break };
        last.clone_from(id);
        for (id, access) in &chunk {
            let Ok(user_id) = id.parse() else { continue };
            looked_at.insert(user_id);
            add(user_id, access);
        }
    }
    let whole = looked_at.len() < MAX_USERS;
    let holders: BTreeSet<_> =
        before.protected_holders().chain(after.protected_holders()).map(|(user, _)| user).collect();
    for user_id in holders.difference(&looked_at) {
        add(*user_id, &UserAccess::default());
    }
    effect.complete = whole;
    Ok(seen_by(sources, effect))
}

/// Of a change of one user's roles.
pub(crate) async fn of_user(
    sources: &mut Sources<'_>,
    id: &str,
    (before, after): (&UserAccess, &UserAccess),
) -> Result<Effect, Problem> {
    let user_id: UserId = id.parse().map_err(|_| Problem::absent("user"))?;
    let organization = organization(sources).await?;
    let policy = sources.get::<Policy>(&sources.tenant.to_string()).await?.state;
    let status = sources.get::<User>(id).await?.state.status;
    let (policy, organization, now) = (&*policy, &*organization, clock::now());
    let then = Person { user_id, status, access: before, policy, organization, now };
    let mut effect = Effect::none();
    effect.add(user_id, Person { access: after, ..then }.since(&then));
    Ok(seen_by(sources, effect))
}

/// Who may not see who holds which role gets the numbers alone.
fn seen_by(sources: &Sources<'_>, mut effect: Effect) -> Effect {
    let read = |effective: &events::rbac::resolve::Effective| {
        effective.permits(Permission::RbacAssignmentsRead)
    };
    if !sources.standing.is_some_and(|standing| read(&standing.effective)) {
        effect.users.clear();
    }
    effect.told()
}

async fn organization(sources: &mut Sources<'_>) -> Result<Arc<Organization>, Problem> {
    Ok(sources.get::<Organization>(&sources.tenant.to_string()).await?.state)
}

/// The users whose account is deactivated.
async fn deactivated(sources: &Sources<'_>) -> Result<BTreeSet<UserId>, Problem> {
    let mut transaction = db::begin_for(&sources.app.pool, sources.tenant).await?;
    let ids: Vec<String> = sqlx::query_scalar(
        "select aggregate_id from (
           select distinct on (e.aggregate_id) e.aggregate_id, e.event_type
             from log.events e
            where e.aggregate_type = $1
              and e.event_type in ('identity.user.deactivated', 'identity.user.reactivated')
            order by e.aggregate_id, e.sequence desc) latest
          where event_type = 'identity.user.deactivated'",
    )
    .bind(User::TYPE)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}

/// The roles of some users, in the order of their ids, folded from the log.
async fn accesses(
    sources: &Sources<'_>,
    after: &str,
) -> Result<BTreeMap<String, UserAccess>, Problem> {
    let mut transaction = db::begin_for(&sources.app.pool, sources.tenant).await?;
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select e.aggregate_id, e.payload::text
           from log.events e
          where e.aggregate_type = $1 and e.aggregate_id in (
                select s.aggregate_id from log.streams s
                 where s.aggregate_type = $1 and s.aggregate_id > $2
                 order by s.aggregate_id limit $3)
          order by e.aggregate_id, e.sequence",
    )
    .bind(UserAccess::TYPE)
    .bind(after)
    .bind(CHUNK_USERS)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let mut found: BTreeMap<String, UserAccess> = BTreeMap::new();
    for (id, payload) in rows {
        let event: user_access::Event =
            serde_json::from_str(&payload).map_err(|error| Problem::internal(&error))?;
        found.entry(id).or_default().evolve(&event);
    }
    Ok(found)
}
