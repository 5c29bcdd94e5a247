//! The rules of roles and of what they are granted and inherit.

use std::collections::BTreeSet;

use super::commands::{
    CreateRole, MAX_CODE_CHARS, MAX_DESCRIPTION_CHARS, MAX_GRANTS, MAX_NAME_CHARS, OWNER_LEVEL,
};
use super::decide::Case;
use super::events::{Event, RoleCreated};
use super::rejections::Rejection;
use super::state::Role;
use crate::ids::{RoleId, UnitId};
use crate::rbac::name::{self, Form};
use crate::text;

impl<'a> Case<'a> {
    pub(super) fn create_role(&self, wanted: CreateRole) -> Result<Vec<Event>, Rejection> {
        let CreateRole { role_id, level, unit_id, protected, .. } = wanted;
        if self.policy.role_id_is_taken(role_id) {
            return Err(Rejection::RoleIdTaken { role_id });
        }
        if let Some(unit_id) = unit_id.filter(|unit| self.facts.unit_path.first() != Some(unit)) {
            return Err(Rejection::RoleUnitUnknown { unit_id });
        }
        let name = self.free_name(role_id, unit_id, &wanted.name)?;
        let code = self.free_code(wanted.code.unwrap_or_else(|| slug(&name)))?;
        let description = role_description(wanted.description)?;
        self.may_stand_at(level)?;
        let added = listed(wanted.permissions)?;
        self.may_grant(&added)?;
        let system = false;
        let created =
            RoleCreated { role_id, name, code, description, level, unit_id, system, protected };
        let mut events = vec![Event::RoleCreated(created)];
        if !added.is_empty() {
            let added = added.into_iter().collect();
            events.push(Event::RolePermissionsReplaced { role_id, added, removed: Vec::new() });
        }
        Ok(events)
    }

    /// The same name again changes nothing, and is no mistake.
    pub(super) fn rename_role(&self, id: RoleId, name: &str) -> Result<Vec<Event>, Rejection> {
        let role = self.own_role_below(id)?;
        let name = self.free_name(id, role.facts.unit_id, name)?;
        let changed = name != role.facts.name;
        Ok(changed.then_some(Event::RoleRenamed { role_id: id, name }).into_iter().collect())
    }

    /// The same description again changes nothing, and is no mistake.
    pub(super) fn describe_role(
        &self,
        role_id: RoleId,
        description: Option<String>,
    ) -> Result<Vec<Event>, Rejection> {
        let role = self.role_below(role_id)?;
        let description = role_description(description)?;
        let changed = description != role.facts.description;
        Ok(changed.then_some(Event::RoleDescribed { role_id, description }).into_iter().collect())
    }

    /// The same level again changes nothing, and is no mistake.
    pub(super) fn change_level(
        &self,
        role_id: RoleId,
        level: u16,
    ) -> Result<Vec<Event>, Rejection> {
        let role = self.own_role_below(role_id)?;
        self.may_stand_at(level)?;
        let levels = |ids: &[RoleId]| -> Vec<u16> {
            let roles = ids.iter().filter_map(|id| self.policy.role(*id));
            roles.map(|role| role.facts.level).collect()
        };
        if let Some(junior) = levels(&role.juniors).into_iter().max() {
            in_order(level, junior)?;
        }
        if let Some(senior) = levels(&role.seniors).into_iter().min() {
            in_order(senior, level)?;
        }
        Ok(match level.cmp(&role.facts.level) {
            std::cmp::Ordering::Less => vec![Event::RoleLowered { role_id, level }],
            std::cmp::Ordering::Equal => Vec::new(),
            std::cmp::Ordering::Greater => vec![Event::RoleRaised { role_id, level }],
        })
    }

    pub(super) fn delete_role(&self, role_id: RoleId) -> Result<Vec<Event>, Rejection> {
        self.own_role_below(role_id)?;
        match self.policy.holders_of(role_id, self.context.now) {
            0 => Ok(vec![Event::RoleDeleted { role_id }]),
            holders => Err(Rejection::RoleIsHeld { holders }),
        }
    }

    /// The same list again, in whatever order, changes nothing and is no mistake.
    pub(super) fn replace_permissions(
        &self,
        role_id: RoleId,
        permissions: Vec<String>,
    ) -> Result<Vec<Event>, Rejection> {
        let role = self.role_below(role_id)?;
        let wanted = listed(permissions)?;
        let had: BTreeSet<&str> = role.grants.iter().map(|grant| &**grant).collect();
        let removed = had.iter().filter(|grant| !wanted.contains(**grant));
        let removed: Vec<String> = removed.map(|grant| (*grant).to_owned()).collect();
        let added = wanted.into_iter().filter(|grant| !had.contains(&**grant));
        let added: BTreeSet<String> = added.collect();
        self.may_grant(&added)?;
        removed.iter().try_for_each(|grant| may_revoke(role, grant))?;
        let added: Vec<String> = added.into_iter().collect();
        let changed = !(added.is_empty() && removed.is_empty());
        let replaced = Event::RolePermissionsReplaced { role_id, added, removed };
        Ok(changed.then_some(replaced).into_iter().collect())
    }

    pub(super) fn grant(&self, role_id: RoleId, name: String) -> Result<Vec<Event>, Rejection> {
        let role = self.role_below(role_id)?;
        if role.grants.contains(&name) {
            return Err(Rejection::GrantExists { name });
        }
        if role.grants.len() >= MAX_GRANTS {
            return Err(Rejection::GrantsTooMany);
        }
        self.may_grant([&name])?;
        Ok(vec![Event::PermissionGranted { role_id, permission: name }])
    }

    pub(super) fn revoke(&self, role_id: RoleId, name: String) -> Result<Vec<Event>, Rejection> {
        let role = self.role_below(role_id)?;
        if !role.grants.contains(&name) {
            return Err(Rejection::GrantAbsent { name });
        }
        may_revoke(role, &name)?;
        Ok(vec![Event::PermissionRevoked { role_id, permission: name }])
    }

    pub(super) fn add_inheritance(
        &self,
        senior_id: RoleId,
        junior_id: RoleId,
    ) -> Result<Vec<Event>, Rejection> {
        let senior = self.role_below(senior_id)?;
        let junior = self.role(junior_id)?;
        if senior.juniors.contains(&junior_id) {
            return Err(Rejection::InheritanceExists);
        }
        if self.policy.inherits(junior_id, senior_id) {
            return Err(Rejection::InheritanceCyclic);
        }
        in_order(senior.facts.level, junior.facts.level)?;
        self.caller.has_all_of(self.policy, junior_id)?;
        Ok(vec![Event::InheritanceAdded { senior_id, junior_id }])
    }

    pub(super) fn remove_inheritance(
        &self,
        senior_id: RoleId,
        junior_id: RoleId,
    ) -> Result<Vec<Event>, Rejection> {
        let senior = self.role_below(senior_id)?;
        if !senior.juniors.contains(&junior_id) {
            return Err(Rejection::InheritanceUnknown);
        }
        if senior.facts.system && self.role(junior_id)?.facts.system {
            return Err(Rejection::RoleIsSystem);
        }
        Ok(vec![Event::InheritanceRemoved { senior_id, junior_id }])
    }

    /// A role that the caller may change and that did not come with the installation.
    fn own_role_below(&self, role_id: RoleId) -> Result<&'a Role, Rejection> {
        let role = self.role_below(role_id)?;
        if role.facts.system { Err(Rejection::RoleIsSystem) } else { Ok(role) }
    }

    fn free_name(
        &self,
        role_id: RoleId,
        unit_id: Option<UnitId>,
        name: &str,
    ) -> Result<String, Rejection> {
        let name = text::line(name, MAX_NAME_CHARS).map_err(Rejection::RoleNameInvalid)?;
        match self.policy.role_with_name(unit_id, &name) {
            Some(other) if other != role_id => Err(Rejection::RoleNameTaken { name }),
            Some(_) | None => Ok(name),
        }
    }

    fn free_code(&self, code: String) -> Result<String, Rejection> {
        let first = code.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !first || code.len() > MAX_CODE_CHARS || !code.bytes().all(rest) {
            return Err(Rejection::RoleCodeInvalid);
        }
        match self.policy.role_with_code(&code) {
            Some(_) => Err(Rejection::RoleCodeTaken { code }),
            None => Ok(code),
        }
    }

    fn may_stand_at(&self, level: u16) -> Result<(), Rejection> {
        if level >= OWNER_LEVEL {
            return Err(Rejection::RoleLevelInvalid);
        }
        Ok(self.caller.is_above(level)?)
    }

    /// Whether all these are permissions or patterns, and the caller has them to give.
    fn may_grant<'n>(
        &self,
        names: impl IntoIterator<Item = &'n String, IntoIter: Clone>,
    ) -> Result<(), Rejection> {
        let names = names.into_iter();
        for name in names.clone() {
            match name::form(name) {
                Some(Form::Exact) => self.is_usable(name)?,
                Some(Form::Pattern) => {}
                None => return Err(Rejection::PermissionNameInvalid { name: name.clone() }),
            }
        }
        Ok(self.caller.has(names.map(String::as_str))?)
    }

    /// Whether a name is that of a permission that can authorise.
    pub(super) fn is_usable(&self, name: &str) -> Result<(), Rejection> {
        if self.policy.knows(name) {
            return Ok(());
        }
        let name = name.to_owned();
        match self.policy.custom_permission(&name) {
            Some(_) => Err(Rejection::PermissionRetired { name }),
            None => Err(Rejection::GrantUnknown { name }),
        }
    }
}

/// What the system granted to its own role stays: the catalogue's names and the patterns.
fn may_revoke(role: &Role, grant: &str) -> Result<(), Rejection> {
    let of_system = name::is_pattern(grant) || name::catalogue(grant).is_some();
    if role.facts.system && of_system {
        return Err(Rejection::GrantKept { name: grant.to_owned() });
    }
    Ok(())
}

fn listed(permissions: Vec<String>) -> Result<BTreeSet<String>, Rejection> {
    let listed: BTreeSet<String> = permissions.into_iter().collect();
    if listed.len() > MAX_GRANTS { Err(Rejection::GrantsTooMany) } else { Ok(listed) }
}

fn in_order(senior: u16, junior: u16) -> Result<(), Rejection> {
    if senior > junior { Ok(()) } else { Err(Rejection::RoleLevelsOutOfOrder { senior, junior }) }
}

fn role_description(description: Option<String>) -> Result<Option<String>, Rejection> {
    let clean = description.map(|text| text::lines(&text, MAX_DESCRIPTION_CHARS)).transpose();
    clean.map_err(Rejection::RoleDescriptionInvalid)
}

/// The code made from a name: `Plant manager (night)` is `plant-manager-night`.
fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-");
    slug.truncate(MAX_CODE_CHARS);
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}
