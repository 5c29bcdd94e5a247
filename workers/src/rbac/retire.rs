//! Whoever still holds a role that was deleted loses what is left of it, one event each; it gave nothing any more.

use anyhow::Context as _;
use events::envelope::Recorded;
use events::rbac::policy;
use events::rbac::user_access::UserAccess;
use events::{Decider as _, RoleId, UserId};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::commands::CommandError;
use serde_json::json;

use crate::runtime::{Done, Effect, Job, Office, Trouble};

pub(super) const KIND: &str = "rbac.retire";

/// Users of one look at the log.
const PAGE: i64 = 500;

pub(super) fn on_deleted(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let event: policy::Event = serde_json::from_str(&event.payload)?;
    let policy::Event::RoleDeleted { role_id } = event else { return Ok(Vec::new()) };
    Ok(vec![Effect::Start { kind: KIND, subject_id: role_id.to_string(), body: json!({}) }])
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let role_id: RoleId = job.subject_id.parse().context("the job names no role")?;
        let mut last = String::new();
        loop {
            // Nobody is assigned a role after it was deleted, so the log as it is now names all.
            let users: Vec<String> = sqlx::query_scalar(ASSIGNED)
                .bind(job.tenant_id.0)
                .bind(UserAccess::TYPE)
                .bind(role_id.to_string())
                .bind(&last)
                .bind(PAGE)
                .fetch_all(&office.pool)
                .await?;
            let Some(end) = users.last().cloned() else { return Ok(Done::Finished) };
            for user in users {
                strip(office, job, role_id, &user).await?;
            }
            last = end;
        }
    }
    .boxed()
}

async fn strip(office: &Office, job: &Job, role_id: RoleId, user: &str) -> Result<(), Trouble> {
    let user: UserId = user.parse().context("a stream of access is no user's")?;
    let access = office.aggregates.refresh::<UserAccess>(job.tenant_id, &user.to_string()).await?;
    let held = access.state.assignments().iter().filter(|held| held.role_id == role_id);
    for unit_id in held.map(|held| held.unit_id) {
        let path = format!("/rbac/users/{user}/roles/{role_id}/strip");
        let key = job.key(&format!("{user}/{unit_id:?}"));
        let body = json!({ "unit_id": unit_id });
        match office.commands.post(job.tenant_id, &path, key, &body).await {
            Ok(_) => {}
            Err(error @ (CommandError::Refused(_) | CommandError::Unavailable(_))) => {
                return Err(Trouble(error.into()));
            }
        }
    }
    Ok(())
}

const ASSIGNED: &str = "
    select distinct aggregate_id from log.events
     where tenant_id = $1 and aggregate_type = $2 and event_type = 'rbac.user_access.role_assigned'
       and payload->>'role_id' = $3 and aggregate_id > $4
     order by aggregate_id limit $5";
