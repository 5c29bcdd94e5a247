//! The rules of making roles by a template.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::commands::{CreatePermission, CreateRole};
use super::decide::Case;
use super::events::Event;
use super::rejections::Rejection;
use super::state::Policy;
use crate::ids::RoleId;
use crate::rbac::escalation::Caller;
use crate::rbac::template::{Template, TemplateRole};

/// Namespace of the ids of what templates make.
const SPACE: Uuid = Uuid::from_u128(0x1f0b_88d3_6c5e_5a49_9d20_7be4_53c1_0f66);

impl Case<'_> {
    /// A role whose code there is stays as it is, so that doing it again changes nothing.
    pub(super) fn instantiate(&self, template: Template) -> Result<Vec<Event>, Rejection> {
        let mut draft = Draft { case: self, policy: self.policy.clone(), events: Vec::new() };
        for permission in template.permissions() {
            if self.policy.knows(permission.name) {
                continue;
            }
            let wanted = CreatePermission {
                permission_id: self.made_id(template, permission.name, 0).into(),
                name: permission.name.to_owned(),
                description: Some(permission.description.to_owned()),
                implies: permission.implies.iter().map(|&name| name.to_owned()).collect(),
            };
            draft.add(|case| case.create_permission(wanted))?;
        }
        let mut made: BTreeMap<&str, RoleId> = BTreeMap::new();
        for role in template.roles() {
            if self.policy.role_with_code(role.code).is_none() {
                let wanted = self.role_of(template, role);
                made.insert(role.code, wanted.role_id);
                draft.add(|case| case.create_role(wanted))?;
            }
        }
        for senior in template.roles() {
            for junior in senior.juniors {
                let is_new = made.contains_key(senior.code) || made.contains_key(junior);
                let roles = (draft.role(senior.code), draft.role(junior));
                if let (true, (Some(senior), Some(junior))) = (is_new, roles) {
                    draft.add(|case| case.add_inheritance(senior, junior))?;
                }
            }
        }
        if draft.events.is_empty() {
            return Ok(Vec::new());
        }
        let made = template.roles().iter().filter_map(|role| made.get(role.code).copied());
        let begun = Event::TemplateInstantiated { template, role_ids: made.collect() };
        Ok([begun].into_iter().chain(draft.events).collect())
    }

    fn role_of(&self, template: Template, role: &TemplateRole) -> CreateRole {
        // One that was made so before and deleted has used its id up.
        let ids = (0..).map(|turn| RoleId::from(self.made_id(template, role.code, turn)));
        let mut free = ids.filter(|id| !self.policy.role_id_is_taken(*id));
        CreateRole {
            role_id: free.next().unwrap_or_default(),
            name: role.name.to_owned(),
            code: Some(role.code.to_owned()),
            description: Some(role.description.to_owned()),
            level: role.level,
            unit_id: None,
            protected: false,
            permissions: role.permissions.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn made_id(&self, template: Template, name: &str, turn: u32) -> Uuid {
        let (tenant, template): (_, &str) = (self.context.tenant, template.into());
        Uuid::new_v5(&SPACE, format!("{tenant}/{template}/{name}/{turn}").as_bytes())
    }
}

/// The policy as it would be, and what makes it so.
struct Draft<'a> {
    case: &'a Case<'a>,
    policy: Policy,
    events: Vec<Event>,
}

impl Draft<'_> {
    fn role(&self, code: &str) -> Option<RoleId> {
        self.policy.role_with_code(code)
    }

    /// Decides one step by the rules that it has when it is asked for alone.
    fn add(
        &mut self,
        decide: impl FnOnce(&Case<'_>) -> Result<Vec<Event>, Rejection>,
    ) -> Result<(), Rejection> {
        let Case { facts, context, .. } = *self.case;
        let caller = Caller::of(context, &self.policy, &facts.actor_access, &facts.unit_path);
        let events = decide(&Case { policy: &self.policy, facts, context, caller })?;
        for event in &events {
            self.policy.apply(event);
        }
        self.events.extend(events);
        Ok(())
    }
}
