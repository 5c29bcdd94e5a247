//! The rules of the organisation's own permissions.

use std::collections::BTreeSet;

use super::commands::{CreatePermission, MAX_DESCRIPTION_CHARS, MAX_IMPLIED};
use super::decide::Case;
use super::events::Event;
use super::rejections::Rejection;
use super::state::CustomPermission;
use crate::ids::PermissionId;
use crate::rbac::name::{self, Form};
use crate::text;

impl Case<'_> {
    /// A permission can only imply what exists and never changes what it implies, so there is no cycle.
    pub(super) fn create_permission(
        &self,
        wanted: CreatePermission,
    ) -> Result<Vec<Event>, Rejection> {
        let CreatePermission { permission_id, name, description, implies } = wanted;
        if self.policy.permission_name(permission_id).is_some() {
            return Err(Rejection::PermissionIdTaken { permission_id });
        }
        match name::form(&name) {
            Some(Form::Exact) if name::is_reserved(&name) => {
                return Err(Rejection::PermissionNameReserved { name });
            }
            Some(Form::Exact) if self.policy.custom_permission(&name).is_some() => {
                return Err(Rejection::PermissionNameTaken { name });
            }
            Some(Form::Exact) => {}
            Some(Form::Pattern) | None => return Err(Rejection::PermissionNameInvalid { name }),
        }
        let description = permission_description(description)?;
        let implies: BTreeSet<String> = implies.into_iter().collect();
        if implies.len() > MAX_IMPLIED {
            return Err(Rejection::PermissionImpliesTooMany);
        }
        implies.iter().try_for_each(|name| self.is_usable(name))?;
        // Whoever holds the new permission, by pattern perhaps, gets what it implies.
        self.caller.has(implies.iter().map(String::as_str))?;
        let implies = implies.into_iter().collect();
        Ok(vec![Event::PermissionCreated { permission_id, name, description, implies }])
    }

    /// The same description again changes nothing, and is no mistake.
    pub(super) fn describe_permission(
        &self,
        permission_id: PermissionId,
        description: Option<String>,
    ) -> Result<Vec<Event>, Rejection> {
        let permission = self.own_permission(permission_id)?;
        let description = permission_description(description)?;
        let changed = description != permission.description;
        let described = Event::PermissionDescribed { permission_id, description };
        Ok(changed.then_some(described).into_iter().collect())
    }

    pub(super) fn retire_permission(&self, id: PermissionId) -> Result<Vec<Event>, Rejection> {
        self.own_permission(id)?;
        Ok(vec![Event::PermissionRetired { permission_id: id }])
    }

    /// What is granted is a name; whoever knows a permission by its id may say that instead.
    pub(super) fn named(&self, said: String) -> Result<String, Rejection> {
        let Ok(permission_id) = said.parse::<PermissionId>() else { return Ok(said) };
        let name = self.policy.permission_name(permission_id);
        let name = name.ok_or(Rejection::PermissionUnknown { permission_id })?;
        Ok(name.to_string())
    }

    fn own_permission(&self, id: PermissionId) -> Result<&CustomPermission, Rejection> {
        let unknown = Rejection::PermissionUnknown { permission_id: id };
        let name = self.policy.permission_name(id).ok_or(unknown.clone())?;
        match self.policy.custom_permission(&name).ok_or(unknown)? {
            retired if retired.retired => {
                Err(Rejection::PermissionRetired { name: name.to_string() })
            }
            permission => Ok(permission),
        }
    }
}

fn permission_description(description: Option<String>) -> Result<Option<String>, Rejection> {
    let clean = description.map(|text| text::lines(&text, MAX_DESCRIPTION_CHARS)).transpose();
    clean.map_err(Rejection::PermissionDescriptionInvalid)
}
