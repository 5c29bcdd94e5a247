//! What of a plan is there already, as the read models tell it once they have caught up with the log.

use std::collections::{HashMap, HashSet};

use anyhow::ensure;
use events::{RoleId, UserId, text};
use jiff::Timestamp;
use platform::clock;
use serde::Deserialize;
use uuid::Uuid;

use super::plan::{CODE_PREFIX, Plan};
use crate::commands::client::{Client, Error};

/// An imported role as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) id: RoleId,
    /// Names and patterns, sorted.
    pub(super) permissions: Vec<String>,
}

/// Who holds which role everywhere.
pub(super) type Assignments = HashSet<(UserId, RoleId)>;

/// Users by their handle as the server compares it.
pub(super) async fn users(client: &Client, token: &str) -> Result<HashMap<String, UserId>, Error> {
    #[derive(Deserialize)]
    struct Row {
        user_id: UserId,
        handle: String,
    }
    let mut users = HashMap::new();
    let fields = [("fields", "user_id,handle")];
    let each = |row: Row| {
        users.insert(text::fold(&row.handle), row.user_id);
    };
    client.list("/users", &fields, token, each).await?;
    Ok(users)
}

/// The names of the plan's permissions that have yet to be created.
pub(super) async fn missing_permissions(
    client: &Client,
    token: &str,
    plan: &Plan,
) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
        retired_at: Option<Timestamp>,
    }
    let mut missing: HashSet<&str> = plan.own_permissions().collect();
    let mut retired = Vec::new();
    let fields = [("fields", "name,retired_at")];
    let each = |row: Row| {
        if missing.remove(row.name.as_str()) && row.retired_at.is_some() {
            retired.push(row.name);
        }
    };
    client.list("/rbac/permissions", &fields, token, each).await?;
    ensure!(
        retired.is_empty(),
        "retired permissions cannot be granted again; name them otherwise in the file: {}",
        retired.join(", ")
    );
    let mut missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
    missing.sort_unstable();
    Ok(missing)
}

#[derive(Deserialize)]
struct RoleRow {
    role_id: RoleId,
    code: String,
    #[serde(default)]
    permissions: Vec<String>,
}

impl RoleRow {
    fn role(self) -> (String, Role) {
        let mut permissions = self.permissions;
        permissions.sort_unstable();
        (self.code, Role { id: self.role_id, permissions })
    }
}

/// Imported roles by their code.
pub(super) async fn roles(client: &Client, token: &str) -> Result<HashMap<String, Role>, Error> {
    let mut roles = HashMap::new();
    let fields = [("fields", "role_id,code,permissions")];
    let each = |row: RoleRow| {
        if row.code.starts_with(CODE_PREFIX) {
            let (code, role) = row.role();
            roles.insert(code, role);
        }
    };
    client.list("/rbac/roles", &fields, token, each).await?;
    Ok(roles)
}

/// One role by its code, as of now.
pub(super) async fn role(client: &Client, code: &str) -> Result<Option<Role>, Error> {
    let here = client.here().await?;
    let mut found = None;
    let asked = [("fields", "role_id,code,permissions"), ("code", code)];
    let each = |row: RoleRow| found = Some(row.role().1);
    client.list("/rbac/roles", &asked, &here.token, each).await?;
    Ok(found)
}

/// Who holds which role everywhere and at this moment.
pub(super) async fn assignments(client: &Client, token: &str) -> Result<Assignments, Error> {
    #[derive(Deserialize)]
    struct Row {
        user_id: UserId,
        role_id: RoleId,
        unit_id: Option<Uuid>,
        expires_at: Option<Timestamp>,
    }
    let now = clock::now();
    let mut held = Assignments::new();
    let fields = [("fields", "user_id,role_id,unit_id,expires_at")];
    let each = |row: Row| {
        if row.unit_id.is_none() && row.expires_at.is_none_or(|end| end > now) {
            held.insert((row.user_id, row.role_id));
        }
    };
    client.list("/rbac/assignments", &fields, token, each).await?;
    Ok(held)
}
