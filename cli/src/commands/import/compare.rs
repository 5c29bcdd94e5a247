//! Whether the running system says of every user of a matrix exactly what the matrix says.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use events::{RoleId, UserId, text};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::existing;
use super::plan::Plan;
use crate::commands::client::Client;

/// So many differences are named; the others are counted.
const NAMED_MOST: usize = 20;
/// So many pairs are listed; every page of that list costs as much as the whole, so for more pairs
/// each user is asked about alone.
const LISTED_MOST: usize = 20_000;

/// How the system and the matrix compare.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Comparison {
    pub(super) users: usize,
    /// Pairs of the matrix that the system knows.
    pub(super) equal: usize,
    pub(super) missing: Differences,
    /// What users may do beyond the matrix.
    pub(super) extra: Differences,
}

/// Pairs of a user and a permission.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Differences {
    pub(super) count: usize,
    pub(super) first: Vec<(String, String)>,
}

impl Differences {
    fn add(&mut self, user: &str, permission: &str) {
        self.count += 1;
        if self.first.len() < NAMED_MOST {
            self.first.push((user.to_owned(), permission.to_owned()));
        }
    }
}

impl Comparison {
    pub(super) fn is_exact(&self) -> bool {
        self.missing.count == 0 && self.extra.count == 0
    }
}

/// What the system says of one user and one permission.
#[derive(Deserialize)]
struct Effective {
    handle: Option<String>,
    permission: String,
    unit_id: Option<Uuid>,
    role_id: RoleId,
}

/// Asks for the effective permissions of everybody.
pub(super) async fn compare(
    client: &Client,
    plan: &Plan,
    concurrency: NonZeroUsize,
) -> anyhow::Result<Comparison> {
    let here = client.here().await?;
    let imported = existing::roles(client, &here.token).await?;
    let codes: HashSet<String> = plan.roles.iter().map(super::plan::Role::code).collect();
    let ours = imported.into_iter().filter(|(code, _)| codes.contains(code));
    let mut check = Check::new(plan, ours.map(|(_, role)| role.id).collect());
    if plan.pairs() <= LISTED_MOST {
        let fields = [("fields", "handle,permission,unit_id,role_id")];
        let each = |row: Effective| check.take(&row);
        client.list("/rbac/effective-permissions", &fields, &here.token, each).await?;
    } else {
        one_by_one(client, &here.token, &mut check, concurrency.get()).await?;
    }
    Ok(check.end())
}

/// Asks what each user may do; then whether anybody else holds a role of the plan.
async fn one_by_one(
    client: &Client,
    token: &str,
    check: &mut Check<'_>,
    concurrency: usize,
) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Held {
        permissions: Vec<String>,
    }
    let ids = existing::users(client, token).await?;
    let known = check.plan.users.iter().enumerate();
    let known =
        known.filter_map(|(place, (handle, _))| Some((place, *ids.get(&text::fold(handle))?)));
    let mut answers = stream::iter(known)
        .map(|(place, id)| async move {
            let path = format!("/rbac/users/{id}/permissions");
            client.get::<Held>(&path, Some(token)).await.map(|held| (place, held))
        })
        .buffer_unordered(concurrency);
    while let Some(answer) = answers.next().await {
        let (user, held) = answer?;
        held.permissions.iter().for_each(|permission| check.of_user(user, permission));
    }
    drop(answers);
    let handles: HashMap<UserId, String> =
        ids.into_iter().map(|(handle, id)| (id, handle)).collect();
    for (user, role) in existing::assignments(client, token).await? {
        let handle = handles.get(&user).map(String::as_str).unwrap_or_default();
        if check.roles.contains(&role) && !check.users.contains_key(handle) {
            check.found.extra.add(handle, "a role of the matrix");
        }
    }
    Ok(())
}

struct Check<'a> {
    plan: &'a Plan,
    places: HashMap<&'a str, u32>,
    users: HashMap<String, usize>,
    /// The roles of the plan: whoever holds one and is not in the matrix may do too much.
    roles: HashSet<RoleId>,
    /// What was met already, through one role or several.
    seen: HashSet<(usize, u32)>,
    found: Comparison,
}

impl<'a> Check<'a> {
    fn new(plan: &'a Plan, roles: HashSet<RoleId>) -> Self {
        let names = plan.permissions.iter().map(String::as_str);
        let users = plan.users.iter().enumerate();
        Self {
            plan,
            places: names.zip(0..).collect(),
            users: users.map(|(place, (handle, _))| (text::fold(handle), place)).collect(),
            roles,
            seen: HashSet::new(),
            found: Comparison { users: plan.users.len(), ..Comparison::default() },
        }
    }

    fn take(&mut self, row: &Effective) {
        let handle = row.handle.as_deref().unwrap_or_default();
        let Some(user) = self.users.get(&text::fold(handle)).copied() else {
            if self.roles.contains(&row.role_id) {
                self.found.extra.add(handle, &row.permission);
            }
            return;
        };
        let wanted = self.wanted(user, &row.permission).is_some();
        if row.unit_id.is_none() || !wanted {
            self.of_user(user, &row.permission);
        } // otherwise it is narrower than what the matrix gives, so nothing beyond it
    }

    /// A user of the matrix has this permission everywhere.
    fn of_user(&mut self, user: usize, permission: &str) {
        if let Some(place) = self.wanted(user, permission) {
            if self.seen.insert((user, place)) {
                self.found.equal += 1;
            }
        } else {
            let handle = self.plan.users.get(user).map_or("", |(handle, _)| handle);
            self.found.extra.add(handle, permission);
        }
    }

    /// The place of a permission that the matrix gives to a user.
    fn wanted(&self, user: usize, permission: &str) -> Option<u32> {
        let place = self.places.get(permission).copied()?;
        self.plan.places_of(user).binary_search(&place).is_ok().then_some(place)
    }

    fn end(mut self) -> Comparison {
        for (user, (handle, _)) in self.plan.users.iter().enumerate() {
            for place in self.plan.places_of(user) {
                if !self.seen.contains(&(user, *place)) {
                    let permission = self.plan.permissions.get(*place as usize);
                    self.found.missing.add(handle, permission.map_or("", String::as_str));
                }
            }
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::of_text;
    use super::*;

    fn row(handle: &str, permission: &str, role: u128) -> Effective {
        Effective {
            handle: Some(handle.into()),
            permission: permission.into(),
            unit_id: None,
            role_id: Uuid::from_u128(role).into(),
        }
    }

    fn compared(rows: &[Effective]) -> Comparison {
        let plan = Plan::of(of_text(b"anna 1\nanna 2\nberta 1\n").0).unwrap();
        let mut check = Check::new(&plan, [Uuid::from_u128(7).into()].into());
        for row in rows {
            check.take(row);
        }
        check.end()
    }

    #[test]
    fn the_same_pairs_are_exact_also_through_several_roles_and_beside_other_users() {
        let found = compared(&[
            row("Anna", "access.1:use", 7),
            row("anna", "access.1:use", 8),
            row("anna", "access.2:use", 7),
            row("berta", "access.1:use", 7),
            row("owner", "access.1:use", 1),
        ]);
        assert!(found.is_exact(), "{found:?}");
        assert_eq!((found.users, found.equal), (2, 3));
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let in_a_unit =
            Effective { unit_id: Some(Uuid::from_u128(1)), ..row("anna", "access.2:use", 7) };
        let found = compared(&[
            row("anna", "access.1:use", 7),
            in_a_unit,
            row("berta", "access.1:use", 7),
            row("berta", "access.2:use", 7),
            row("berta", "rbac.roles:read", 1),
            row("carla", "access.1:use", 7),
        ]);
        assert!(!found.is_exact());
        assert_eq!(found.missing.first, [("anna".into(), "access.2:use".into())]);
        let extra: Vec<(&str, &str)> =
            found.extra.first.iter().map(|(user, p)| (user.as_str(), p.as_str())).collect();
        assert_eq!(
            extra,
            [("berta", "access.2:use"), ("berta", "rbac.roles:read"), ("carla", "access.1:use")]
        );
    }
}
