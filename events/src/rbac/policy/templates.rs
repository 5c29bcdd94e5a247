//! The rules of making roles by a template.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::commands::{CreatePermission, CreateRole, OWNER_LEVEL};
use super::decide::Case;
use super::events::Event;
use super::rejections::Rejection;
use super::state::Policy;
use crate::ids::{RoleId, UnitId};
use crate::rbac::escalation::Caller;
use crate::rbac::template::{Template, TemplateRole};
use crate::rbac::unit_access::Level;

/// Namespace of the ids of what templates make.
const SPACE: Uuid = Uuid::from_u128(0x1f0b_88d3_6c5e_5a49_9d20_7be4_53c1_0f66);

impl Case<'_> {
    /// A role whose code there is stays as it is, so that doing it again changes nothing.
    pub(super) fn instantiate(
        &self,
        template: Template,
        unit_id: Option<UnitId>,
    ) -> Result<Vec<Event>, Rejection> {
        let mut draft = Draft { case: self, policy: self.policy.clone(), events: Vec::new() };
        let ladder = Ladder { template, unit_id };
        for permission in template.permissions() {
            if self.policy.knows(permission.name) {
                continue;
            }
            let wanted = CreatePermission {
                permission_id: self.made_id(template.into(), permission.name, 0).into(),
                name: permission.name.to_owned(),
                description: Some(permission.description.to_owned()),
                implies: permission.implies.iter().map(|&name| name.to_owned()).collect(),
            };
            draft.add(|case| case.create_permission(wanted))?;
        }
        let mut made: BTreeMap<&str, RoleId> = BTreeMap::new();
        for role in ladder.roles() {
            if self.policy.role_with_code(&ladder.code(role.code)).is_none() {
                let wanted = self.role_of(&ladder, role);
                made.insert(role.code, wanted.role_id);
                draft.add(|case| case.create_role(wanted))?;
            }
        }
        for senior in ladder.roles() {
            for junior in senior.juniors {
                let is_new = made.contains_key(senior.code) || made.contains_key(junior);
                let role = |code| draft.policy.role_with_code(&ladder.code(code));
                let roles = (role(senior.code), role(junior));
                if let (true, (Some(senior), Some(junior))) = (is_new, roles) {
                    draft.add(|case| case.add_inheritance(senior, junior))?;
                }
            }
        }
        if draft.events.is_empty() {
            return Ok(Vec::new());
        }
        let role_ids = ladder.roles().filter_map(|role| made.get(role.code).copied()).collect();
        let begun = Event::TemplateInstantiated { template, role_ids, unit_id };
        Ok([begun].into_iter().chain(draft.events).collect())
    }

    fn role_of(&self, ladder: &Ladder, role: &TemplateRole) -> CreateRole {
        let of = ladder.unit_id.map_or_else(String::new, |unit| format!("/{unit}"));
        let space = format!("{}{of}", <&str>::from(ladder.template));
        // One that was made so before and deleted has used its id up.
        let ids = (0..).map(|turn| RoleId::from(self.made_id(&space, role.code, turn)));
        let mut free = ids.filter(|id| !self.policy.role_id_is_taken(*id));
        CreateRole {
            role_id: free.next().unwrap_or_default(),
            name: role.name.to_owned(),
            code: Some(ladder.code(role.code)),
            description: Some(role.description.to_owned()),
            level: role.level,
            unit_id: ladder.unit_id,
            protected: false,
            permissions: role.permissions.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn made_id(&self, space: &str, name: &str, turn: u32) -> Uuid {
        let tenant = self.context.tenant;
        Uuid::new_v5(&SPACE, format!("{tenant}/{space}/{name}/{turn}").as_bytes())
    }
}

/// The roles of a template as they are to be: in the whole organisation, or once more in one unit.
struct Ladder {
    template: Template,
    unit_id: Option<UnitId>,
}

impl Ladder {
    /// A unit has no owner of its own, and what access to a unit means is said for the whole organisation.
    fn roles(&self) -> impl Iterator<Item = &'static TemplateRole> + use<> {
        let in_unit = self.unit_id.is_some();
        let of_all = |role: &TemplateRole| {
            role.level >= OWNER_LEVEL || Level::ALL.iter().any(|level| level.code() == role.code)
        };
        self.template.roles().iter().filter(move |role| !(in_unit && of_all(role)))
    }

    /// Codes are unique in the organisation, so those in a unit end with the end of its id.
    fn code(&self, code: &str) -> String {
        let digits = self.unit_id.map(|unit| unit.0.simple().to_string());
        digits.map_or_else(|| code.to_owned(), |digits| format!("{code}-{}", &digits[20..]))
    }
}

/// The policy as it would be, and what makes it so.
struct Draft<'a> {
    case: &'a Case<'a>,
    policy: Policy,
    events: Vec<Event>,
}

impl Draft<'_> {
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
