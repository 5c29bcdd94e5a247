//! Carrying out a plan through the public API: only what is missing is asked for, so that it can be broken off and begun again, also by two at once.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use anyhow::{Context as _, ensure};
use events::{RoleId, UserId, text};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::existing::{self, Assignments};
use super::plan::{Ids, Plan, Role};
use super::progress::{Outcome, Step, Tally};
use crate::commands::client::{Client, Error};

/// As many permissions as one command may create.
const BATCH: usize = 500;
/// Ids of deleted roles that are skipped before we give up.
const GENERATIONS_MOST: u32 = 100;

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    pub(super) users: Tally,
    pub(super) permissions: Tally,
    pub(super) roles: Tally,
    pub(super) assignments: Tally,
}

/// An import under way.
struct Import<'a> {
    client: &'a Client,
    plan: &'a Plan,
    ids: Ids,
    /// Makes this run's keys its own: what was taken away since an earlier run is given again.
    run: Uuid,
    concurrency: usize,
}

/// Brings about what the plan says.
pub(super) async fn apply(
    client: &Client,
    plan: &Plan,
    concurrency: NonZeroUsize,
) -> anyhow::Result<Done> {
    let here = client.here().await?;
    let run = Uuid::from_bytes(platform::secrets::random());
    let (ids, concurrency) = (Ids(here.tenant), concurrency.get());
    let import = Import { client, plan, ids, run, concurrency };
    // What the log tells now is true enough: what is not there any longer is noticed by the command.
    let known = existing::users(client, &here.token).await?;
    let held = existing::assignments(client, &here.token).await?;
    let permissions = import.permissions(&here.token).await?;
    let (roles, role_ids) = import.roles(&here.token).await?;
    let (users, user_ids) = import.users(&known).await?;
    let assignments = import.assignments(&user_ids, &role_ids, &held).await?;
    Ok(Done { users, permissions, roles, assignments })
}

impl Import<'_> {
    /// The same command of the same run has the same key.
    fn key(&self, path: &str, body: &Value) -> Uuid {
        Uuid::new_v5(&self.run, format!("{path}\n{body}").as_bytes())
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Error> {
        self.client.post(path, self.key(path, &body), &body).await
    }

    /// All permissions stand in one stream, so they are created one batch after the other.
    async fn permissions(&self, token: &str) -> anyhow::Result<Tally> {
        let total = self.plan.own_permissions().count();
        let step = Step::begin("permissions", total);
        let mut missing = existing::missing_permissions(self.client, token, self.plan).await?;
        step.count(Outcome::There, total - missing.len());
        let mut rounds = total / BATCH + 10;
        while !missing.is_empty() {
            let batch = &missing[..missing.len().min(BATCH)];
            let created = self.create_permissions(batch).await;
            match created {
                Ok(_) => {
                    step.count(Outcome::Created, batch.len());
                    missing.drain(..missing.len().min(BATCH));
                }
                Err(error) if taken(&error, "PERMISSION") && rounds > 0 => {
                    rounds -= 1; // another import was faster; see what it left to us
                    let (before, now) = (missing.len(), self.client.here().await?.token);
                    missing = existing::missing_permissions(self.client, &now, self.plan).await?;
                    step.count(Outcome::There, before.saturating_sub(missing.len()));
                }
                Err(error) => return Err(error).context("permissions cannot be created"),
            }
        }
        Ok(step.end())
    }

    async fn create_permissions(&self, names: &[String]) -> Result<Value, Error> {
        let permission = |name: &String| json!({ "id": self.ids.permission(name), "name": name });
        let permissions: Vec<Value> = names.iter().map(permission).collect();
        self.post("/rbac/permissions/batch", json!({ "permissions": permissions })).await
    }

    /// All roles stand in one stream as well; more than one at a time would only get into each other's way.
    async fn roles(&self, token: &str) -> anyhow::Result<(Tally, Vec<RoleId>)> {
        let step = Step::begin("roles", self.plan.roles.len());
        let known = existing::roles(self.client, token).await?;
        let mut ids = Vec::with_capacity(self.plan.roles.len());
        for role in &self.plan.roles {
            let made = match known.get(&role.code()) {
                Some(known) => self.restore(known, role).await.map(|outcome| (known.id, outcome)),
                None => self.create_role(role).await,
            };
            let (id, outcome) = made.with_context(|| format!("role {} failed", role.code()))?;
            step.count(outcome, 1);
            ids.push(id);
        }
        Ok((step.end(), ids))
    }

    async fn create_role(&self, role: &Role) -> anyhow::Result<(RoleId, Outcome)> {
        let (code, name) = (role.code(), role.name());
        let permissions = self.plan.granted(role);
        for generation in 0..GENERATIONS_MOST {
            let id = self.ids.role(&code, generation);
            let body = json!({ "id": id, "name": name, "code": code, "permissions": permissions });
            let Err(error) = self.post("/rbac/roles", body).await else {
                return Ok((id, Outcome::Created));
            };
            if !taken(&error, "ROLE") {
                return Err(error.into());
            }
            if let Some(known) = existing::role(self.client, &code).await? {
                return self.restore(&known, role).await.map(|outcome| (known.id, outcome));
            }
            // Otherwise the id is that of a role that was deleted.
            ensure!(error.is("ROLE_ID_TAKEN"), "{error}");
        }
        anyhow::bail!("it was deleted {GENERATIONS_MOST} times; create it by hand")
    }

    /// Lets a role that is there be granted exactly its set again.
    async fn restore(&self, known: &existing::Role, role: &Role) -> anyhow::Result<Outcome> {
        let permissions = self.plan.granted(role);
        if known.permissions.iter().map(String::as_str).eq(permissions.iter().copied()) {
            return Ok(Outcome::There);
        }
        let path = format!("/rbac/roles/{}/permissions", known.id);
        let body = json!({ "permissions": permissions });
        self.client.put(&path, self.key(&path, &body), &body).await?;
        Ok(Outcome::Restored)
    }

    /// Users are streams of their own: many at a time.
    async fn users(&self, known: &HashMap<String, UserId>) -> anyhow::Result<(Tally, Vec<UserId>)> {
        let step = Step::begin("users", self.plan.users.len());
        let one = |(handle, _): &'_ (String, usize)| {
            let handle = handle.clone();
            let step = &step;
            async move {
                let (id, outcome) = match known.get(&text::fold(&handle)) {
                    Some(id) => (*id, Outcome::There),
                    None => self.register(&handle).await?,
                };
                step.count(outcome, 1);
                anyhow::Ok(id)
            }
        };
        let ids = stream::iter(self.plan.users.iter().map(one)).buffered(self.concurrency);
        let ids = ids.try_collect().await?;
        Ok((step.end(), ids))
    }

    async fn register(&self, handle: &str) -> anyhow::Result<(UserId, Outcome)> {
        let id = self.ids.user(handle);
        match self.post("/users", json!({ "id": id, "handle": handle })).await {
            Ok(_) => Ok((id, Outcome::Created)),
            Err(error) if error.is("USER_EXISTS") => Ok((id, Outcome::There)),
            Err(error) if error.is("USER_HANDLE_TAKEN") => {
                let now = self.client.here().await?.token;
                let users = existing::users(self.client, &now).await?;
                let id = users.get(&text::fold(handle)).copied();
                Ok((id.with_context(|| format!("user \"{handle}\": {error}"))?, Outcome::There))
            }
            Err(error) => Err(error).with_context(|| format!("user \"{handle}\" failed")),
        }
    }

    async fn assignments(
        &self,
        users: &[UserId],
        roles: &[RoleId],
        held: &Assignments,
    ) -> anyhow::Result<Tally> {
        let step = Step::begin("assignments", users.len());
        let wanted = users.iter().zip(&self.plan.users).map(|(user, (handle, place))| {
            let (user, role, handle, step) = (*user, roles.get(*place).copied(), handle, &step);
            async move {
                let role = role.context("a role has no id")?;
                let outcome = if held.contains(&(user, role)) {
                    Outcome::There
                } else {
                    let assigned = self.assign(user, role).await;
                    assigned.with_context(|| format!("the role of \"{handle}\" failed"))?
                };
                step.count(outcome, 1);
                anyhow::Ok(())
            }
        });
        stream::iter(wanted).buffer_unordered(self.concurrency).try_collect::<()>().await?;
        Ok(step.end())
    }

    async fn assign(&self, user: UserId, role: RoleId) -> Result<Outcome, Error> {
        match self.post("/rbac/assign", json!({ "user_id": user, "role_id": role })).await {
            Ok(_) => Ok(Outcome::Created),
            Err(error) if error.is("ROLE_ALREADY_ASSIGNED") => Ok(Outcome::There),
            Err(error) => Err(error),
        }
    }
}

/// Whether an id, a name or a code is taken already.
fn taken(error: &Error, what: &str) -> bool {
    ["ID", "NAME", "CODE"].iter().any(|part| error.is(&format!("{what}_{part}_TAKEN")))
}
