//! What stands before everything that is asked: the organisation at work, the permission, the person.

use events::identity::organization::Organization;
use events::identity::user::Status;
use events::rbac::resolve::service_allows;
use events::{ActorKind, Permission, Rejection as _};

use super::Standing;
use crate::principal::Principal;
use crate::problem::{BearerError, Problem};

/// Refuses to work in an organisation that is suspended.
pub fn check_at_work(organization: &Organization) -> Result<(), Problem> {
    organization.at_work().map_err(|rejection| {
        let detail = rejection.to_string();
        Problem { code: rejection.code().into(), ..Problem::forbidden(detail) }
    })
}

impl Standing {
    /// Whether the organisation is at work, and the account that something is done for is active; there need be no session.
    pub fn check_owner(&self) -> Result<(), Problem> {
        check_at_work(&self.organization.state)?;
        if self.user.state.status == Status::Active {
            return Ok(());
        }
        let detail =
            "the account that this is done for is not active; let somebody else make their own";
        Err(Problem { code: "OWNER_INACTIVE".into(), ..Problem::forbidden(detail) })
    }
}

/// Whether the caller may do what needs `permission`, anywhere in the organisation; `standing` is a user's.
pub fn authorize(
    principal: &Principal,
    standing: Option<&Standing>,
    permission: Permission,
) -> Result<(), Problem> {
    let allowed = match (principal.actor.kind, standing) {
        (ActorKind::User, Some(standing)) => standing.effective.permits(permission),
        (ActorKind::Service, _) => service_allows(&principal.actor.id, permission),
        (ActorKind::User, None) | (ActorKind::System, _) => false,
    };
    if allowed { Ok(()) } else { Err(lacking(principal, permission)) }
}

/// The refusal of a caller who lacks a permission.
pub fn lacking(principal: &Principal, permission: Permission) -> Problem {
    let name = permission.name();
    let detail = match principal.key {
        Some(_) => format!(
            "the API key needs the permission {name} in its scope, and its owner a role that has it"
        ),
        None => {
            format!("you need the permission {name}; ask an administrator for a role that has it")
        }
    };
    // A role that the owner lacks is no matter of the key.
    let beyond = principal.key.as_ref().is_some_and(|key| !key.scope.allows(name));
    let bearer_error = beyond.then_some(BearerError::InsufficientScope);
    Problem { bearer_error, ..Problem::lacking(name, detail) }
}

/// Refuses a program with an API key, and whatever acts for somebody who is away, what people do themselves.
pub fn in_person(principal: &Principal) -> Result<(), Problem> {
    let by_key = principal.key.is_some() || principal.actor.api_key_id.is_some();
    if !by_key && principal.through.is_none() {
        return Ok(());
    }
    let code = "IN_PERSON_ONLY".into();
    let who = if by_key { "an API key" } else { "a trigger" };
    let detail = format!("{who} cannot do this; sign in yourself");
    Err(Problem { code, ..Problem::forbidden(detail) })
}
