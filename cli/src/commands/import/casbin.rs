//! A policy in Casbin's CSV format, brought about through the public API: only what is missing is asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, ensure};
use events::rbac::casbin::{self, Line, RoleLine, SetLine, Subject};
use events::rbac::name;
use events::rbac::unit_access::Level;
use events::{RoleId, UnitId, UserId, text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::existing;
use super::plan::Ids;
use crate::commands::client::{Client, Error};

const BATCH: usize = 500;

/// A policy as its lines say it.
#[derive(Debug, Default)]
pub(super) struct Policy {
    roles: BTreeMap<String, Role>,
    /// The organisation's own permissions in the order of their lines, with what they bring.
    permissions: Vec<(String, Vec<String>)>,
    sets: Vec<SetLine>,
    holders: Vec<Holder>,
    accesses: Vec<Access>,
}

/// Access of a user to a unit.
#[derive(Debug)]
struct Access {
    handle: String,
    level: Level,
    unit_id: UnitId,
    expires_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Role {
    line: Option<RoleLine>,
    unit_id: Option<UnitId>,
    grants: BTreeSet<String>,
    juniors: BTreeSet<String>,
}

#[derive(Debug)]
struct Holder {
    handle: String,
    role: String,
    unit_id: Option<UnitId>,
    expires_at: Option<Timestamp>,
}

/// What an import did: of each kind only what was not there.
#[derive(Debug, Default, Serialize)]
pub(super) struct Done {
    permissions: usize,
    roles: usize,
    grants: usize,
    inheritances: usize,
    sets: usize,
    users: usize,
    assignments: usize,
    units: usize,
}

/// Whether a file is Casbin's, by its name.
pub(super) fn is_casbin(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

impl Policy {
    /// Reads a file; `fault` hears of every line that cannot be used.
    pub(super) fn file(path: &Path, fault: &mut impl FnMut(String)) -> anyhow::Result<Self> {
        let cannot_read = || format!("cannot read {}", path.display());
        let mut lines = Vec::new();
        let source = BufReader::new(File::open(path).with_context(cannot_read)?);
        for (number, line) in (1..).zip(source.lines()) {
            match casbin::read(&line.with_context(cannot_read)?) {
                Ok(line) => lines.extend(line),
                Err(reason) => fault(format!("{}:{number}: {reason}", path.display())),
            }
        }
        Ok(Self::of(lines))
    }

    fn of(lines: Vec<Line>) -> Self {
        let mut policy = Self::default();
        // Our own lines mark roles, so that a user may be called like one; those of others are told apart by their use.
        let ours = lines.iter().any(|line| matches!(line, Line::Role(_)));
        let named: BTreeSet<String> =
            if ours { BTreeSet::new() } else { lines.iter().filter_map(role_of).collect() };
        for line in lines {
            policy.add(line, &named);
        }
        policy
    }

    fn add(&mut self, line: Line, roles: &BTreeSet<String>) {
        match line {
            Line::Role(line) => {
                let role = self.roles.entry(line.code.clone()).or_default();
                role.unit_id = line.unit_path.first().copied();
                role.line = Some(line);
            }
            Line::Set(line) => self.sets.push(line),
            Line::Access { who, level, unit_path, expires_at } => {
                let of = |unit_id| Access { handle: who, level, unit_id, expires_at };
                self.accesses.extend(unit_path.first().copied().map(of));
            }
            Line::Permission(name) => self.permission(&name),
            Line::Brings(name, implied) if !name::is_pattern(&name) => {
                self.permission(&name);
                if let Some((_, implies)) =
                    self.permissions.iter_mut().find(|(made, _)| *made == name)
                {
                    implies.push(implied.clone());
                }
            }
            Line::Brings(..) => {} // follows from the pattern
            Line::Grant { role, permission, unit_path } => {
                if !name::is_pattern(&permission) {
                    self.permission(&permission);
                }
                let role = self.roles.entry(role).or_default();
                role.unit_id = unit_path.first().copied();
                role.grants.insert(permission);
            }
            Line::Has { who: Subject::Role(senior), role, .. } => self.inherit(senior, role),
            Line::Has { who: Subject::Name(name), role, .. } if roles.contains(&name) => {
                self.inherit(name, role);
            }
            Line::Has { who: Subject::Name(handle), role, unit_path, expires_at } => {
                self.roles.entry(role.clone()).or_default();
                let unit_id = unit_path.first().copied();
                self.holders.push(Holder { handle, role, unit_id, expires_at });
            }
        }
    }

    fn inherit(&mut self, senior: String, junior: String) {
        self.roles.entry(junior.clone()).or_default();
        self.roles.entry(senior).or_default().juniors.insert(junior);
    }

    fn permission(&mut self, name: &str) {
        if !name::is_reserved(name) && self.permissions.iter().all(|(made, _)| made != name) {
            self.permissions.push((name.to_owned(), Vec::new()));
        }
    }

    /// The permissions, each after those that it brings.
    fn in_order(&self) -> Vec<&(String, Vec<String>)> {
        let mut ordered: Vec<&(String, Vec<String>)> = Vec::with_capacity(self.permissions.len());
        let mut open: Vec<_> = self.permissions.iter().collect();
        let mut left = usize::MAX;
        while open.len() < left {
            left = open.len();
            open.retain(|made| {
                let waits = |name: &String| {
                    self.permissions.iter().any(|(made, _)| made == name)
                        && ordered.iter().all(|(done, _)| done != name)
                };
                let ready = !made.1.iter().any(waits);
                if ready {
                    ordered.push(*made);
                }
                !ready
            });
        }
        ordered.extend(open); // brings itself: the server says so
        ordered
    }

    /// The level of a role: as it was written, or above all that it inherits from.
    fn level(&self, code: &str, depth: usize) -> u16 {
        let Some(role) = self.roles.get(code).filter(|_| depth < self.roles.len()) else {
            return 1;
        };
        let juniors = role.juniors.iter().map(|junior| self.level(junior, depth + 1));
        let least = juniors.max().map_or(1, |level| level.saturating_add(1));
        role.line.as_ref().map_or(least, |line| line.level)
    }
}

/// The role that a line names as one, whatever its prefix.
fn role_of(line: &Line) -> Option<String> {
    match line {
        Line::Role(line) => Some(line.code.clone()),
        Line::Grant { role, .. } | Line::Has { role, .. } => Some(role.clone()),
        Line::Set(_) | Line::Access { .. } | Line::Permission(_) | Line::Brings(..) => None,
    }
}

/// A role as it stands.
#[derive(Debug, Deserialize)]
struct Standing {
    role_id: RoleId,
    code: String,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    is_protected: bool,
    #[serde(default)]
    juniors: Vec<RoleId>,
}

struct Import<'a> {
    client: &'a Client,
    policy: &'a Policy,
    ids: Ids,
    run: Uuid,
    done: Done,
}

/// Brings about what the policy says.
pub(super) async fn apply(client: &Client, policy: &Policy) -> anyhow::Result<Done> {
    let here = client.here().await?;
    let run = Uuid::from_bytes(platform::secrets::random());
    let (ids, done) = (Ids(here.tenant), Done::default());
    let mut import = Import { client, policy, ids, run, done };
    import.permissions().await.context("permissions cannot be created")?;
    import.roles().await?;
    import.inheritance().await?;
    import.sets().await?;
    import.holders().await?;
    Ok(import.done)
}

impl Import<'_> {
    async fn post(&self, path: &str, body: Value) -> Result<Value, Error> {
        let key = Uuid::new_v5(&self.run, format!("{path}\n{body}").as_bytes());
        self.client.post(path, key, &body).await
    }

    async fn rows<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let here = self.client.here().await?;
        let mut rows = Vec::new();
        self.client.list(path, &[], &here.token, |row| rows.push(row)).await?;
        Ok(rows)
    }

    async fn permissions(&mut self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
        }
        let known: Vec<Row> = self.rows("/rbac/permissions").await?;
        let known: BTreeSet<String> = known.into_iter().map(|row| row.name).collect();
        let all = self.policy.in_order().into_iter();
        let missing: Vec<Value> = all
            .filter(|(name, _)| !known.contains(name))
            .map(|(name, implies)| {
                json!({ "id": self.ids.permission(name), "name": name, "implies": implies })
            })
            .collect();
        for batch in missing.chunks(BATCH) {
            self.post("/rbac/permissions/batch", json!({ "permissions": batch })).await?;
        }
        self.done.permissions = missing.len();
        Ok(())
    }

    async fn standing(&self) -> Result<HashMap<String, Standing>, Error> {
        let rows: Vec<Standing> = self.rows("/rbac/roles").await?;
        Ok(rows.into_iter().map(|role| (role.code.clone(), role)).collect())
    }

    /// Every role by itself, with exactly its grants.
    async fn roles(&mut self) -> anyhow::Result<()> {
        let known = self.standing().await?;
        for (code, role) in &self.policy.roles {
            let failed = || format!("role {code} failed");
            match known.get(code) {
                None => {
                    self.create(code, role).await.with_context(failed)?;
                    self.done.roles += 1;
                }
                Some(found) if found.permissions.iter().ne(&role.grants) => {
                    let found_grants: BTreeSet<&String> = found.permissions.iter().collect();
                    if found_grants == role.grants.iter().collect() {
                        continue;
                    }
                    let path = format!("/rbac/roles/{}/permissions", found.role_id);
                    let body = json!({ "permissions": role.grants });
                    let key = Uuid::new_v5(&self.run, format!("{path}\n{body}").as_bytes());
                    self.client.put(&path, key, &body).await.with_context(failed)?;
                    self.done.grants += 1;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn create(&self, code: &str, role: &Role) -> Result<(), Error> {
        let name = role.line.as_ref().map_or(code, |line| &line.name);
        let body = json!({
            "name": name,
            "code": code,
            "level": self.policy.level(code, 0),
            "description": role.line.as_ref().and_then(|line| line.description.clone()),
            "unit_id": role.unit_id,
            "protected": role.line.as_ref().is_some_and(|line| line.protected),
            "permissions": role.grants,
        });
        self.post("/rbac/roles", body).await.map(|_| ())
    }

    async fn inheritance(&mut self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Hierarchy {
            items: Vec<Standing>,
        }
        let here = self.client.here().await?;
        let found: Hierarchy = self.client.get("/rbac/roles/hierarchy", Some(&here.token)).await?;
        let known: HashMap<&str, &Standing> =
            found.items.iter().map(|role| (role.code.as_str(), role)).collect();
        for (code, role) in &self.policy.roles {
            for junior in &role.juniors {
                let (Some(senior), Some(junior)) =
                    (known.get(code.as_str()), known.get(junior.as_str()))
                else {
                    anyhow::bail!("role {code} or {junior} is not there");
                };
                if senior.juniors.contains(&junior.role_id) {
                    continue;
                }
                let path = format!("/rbac/roles/{}/parents/{}", senior.role_id, junior.role_id);
                let added = self.post(&path, json!({})).await;
                added.with_context(|| format!("{code} cannot inherit from {}", junior.code))?;
                self.done.inheritances += 1;
            }
        }
        Ok(())
    }

    /// Every set of roles that exclude each other that is not there; one of its name gets the roles that it lacks.
    async fn sets(&mut self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            set_id: Uuid,
            name: String,
            roles: BTreeSet<RoleId>,
            cardinality: u16,
        }
        if self.policy.sets.is_empty() {
            return Ok(());
        }
        let roles = self.standing().await?;
        let known: Vec<Row> = self.rows("/rbac/exclusive-sets").await?;
        for SetLine { name, cardinality, roles: codes } in &self.policy.sets {
            let failed = || format!("set \"{name}\" failed");
            let role = |code: &String| roles.get(code).map(|role| role.role_id);
            let wanted: Option<BTreeSet<RoleId>> = codes.iter().map(role).collect();
            let wanted = wanted.context("a role is not there").with_context(failed)?;
            let Some(found) = known.iter().find(|set| set.name == *name) else {
                let body = json!({ "name": name, "roles": wanted, "cardinality": cardinality });
                self.post("/rbac/exclusive-sets", body).await.with_context(failed)?;
                self.done.sets += 1;
                continue;
            };
            let path = format!("/rbac/exclusive-sets/{}", found.set_id);
            for role in wanted.difference(&found.roles) {
                let added = self.post(&format!("{path}/roles/{role}"), json!({})).await;
                added.with_context(failed)?;
                self.done.sets += 1;
            }
            if found.cardinality != *cardinality {
                let (path, body) =
                    (format!("{path}/cardinality"), json!({ "cardinality": cardinality }));
                let key = Uuid::new_v5(&self.run, format!("{path}\n{body}").as_bytes());
                self.client.put(&path, key, &body).await.with_context(failed)?;
                self.done.sets += 1;
            }
        }
        Ok(())
    }

    async fn holders(&mut self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(rename = "user_id")]
            user: UserId,
            #[serde(rename = "role_id")]
            role: RoleId,
            #[serde(rename = "unit_id")]
            unit: Option<UnitId>,
        }
        let roles = self.standing().await?;
        let mut users = existing::users(self.client, &self.client.here().await?.token).await?;
        let held: Vec<Row> = self.rows("/rbac/assignments").await?;
        let held: BTreeSet<_> =
            held.into_iter().map(|row| (row.user, row.role, row.unit)).collect();
        for Holder { handle, role, unit_id, expires_at } in &self.policy.holders {
            let user = self.user(&mut users, handle).await?;
            let found = roles.get(role).with_context(|| format!("role {role} is not there"))?;
            if held.contains(&(user, found.role_id, *unit_id)) {
                continue;
            }
            let kind = if found.is_protected { "protected-roles" } else { "roles" };
            let path = format!("/rbac/users/{user}/{kind}/{}", found.role_id);
            let body = json!({ "unit_id": unit_id, "expires_at": expires_at });
            let given = self.post(&path, body).await;
            given.with_context(|| format!("{role} cannot be given to \"{handle}\""))?;
            self.done.assignments += 1;
        }
        for Access { handle, level, unit_id, expires_at } in &self.policy.accesses {
            let user = self.user(&mut users, handle).await?;
            let path = format!("/rbac/users/{user}/plants/{unit_id}");
            let body = json!({ "level": level, "expires_at": expires_at });
            let key = Uuid::new_v5(&self.run, format!("{path}\n{body}").as_bytes());
            let opened = self.client.put(&path, key, &body).await;
            let opened =
                opened.with_context(|| format!("\"{handle}\" gets no access to {unit_id}"))?;
            let changed = opened["events"].as_array().is_some_and(|events| !events.is_empty());
            self.done.units += usize::from(changed);
        }
        Ok(())
    }

    /// The user with that handle, registered if there is none.
    async fn user(
        &mut self,
        users: &mut HashMap<String, UserId>,
        handle: &str,
    ) -> anyhow::Result<UserId> {
        if let Some(user) = users.get(&text::fold(handle)) {
            return Ok(*user);
        }
        let id = self.ids.user(handle);
        let registered = self.post("/users", json!({ "id": id, "handle": handle }));
        registered.await.with_context(|| format!("user \"{handle}\" failed"))?;
        users.insert(text::fold(handle), id);
        self.done.users += 1;
        Ok(id)
    }
}

/// Reads the files one after the other, and brings about what they say.
pub(super) async fn import(
    client: &Client,
    files: &[std::path::PathBuf],
    skip_bad: bool,
) -> anyhow::Result<Done> {
    let mut bad: u64 = 0;
    let mut done = Done::default();
    for file in files {
        let policy = Policy::file(file, &mut |fault| {
            bad += 1;
            eprintln!("{fault}");
        })?;
        ensure!(bad == 0 || skip_bad, "{bad} line(s) cannot be used; nothing was imported");
        done = apply(client, &policy).await?;
    }
    Ok(done)
}
