//! What whoever joins an organisation has without being given it: the default role of the installation.

use std::sync::Arc;

use events::rbac::policy::Policy;
use events::rbac::user_access::{self, UserAccess};
use events::{Actor, ActorKind, Context, RoleId, UserId};
use platform::fold::Folded;
use platform::problem::Problem;

use crate::app::App;
use crate::draft::Draft;
use crate::log::StreamWrite;

/// The access of a newcomer to whom nothing else was given; nothing to store where there is no default role.
pub(crate) async fn default_access(
    app: &App,
    policy: Arc<Policy>,
    user_id: UserId,
    context: &Context,
) -> Result<Option<StreamWrite>, Problem> {
    let Some(role_id) = default_role(app, &policy) else { return Ok(None) };
    // Nobody gives it: whoever registers people need not be allowed to give roles.
    let actor = Actor {
        kind: ActorKind::System,
        id: "default-role".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    let context = Context { actor, ..context.clone() };
    let facts =
        user_access::Facts { user_id, user_exists: true, policy, ..user_access::Facts::default() };
    let assign = user_access::Command::AssignRole { role_id, unit_id: None, expires_at: None };
    let mut draft = Draft::<UserAccess>::new(user_id.to_string(), &Folded::default());
    draft.settle(assign, facts, &context).await?;
    Ok(Some(draft.write()))
}

/// The role, where the installation names one and the organisation has it, for all of itself and free to be given.
fn default_role(app: &App, policy: &Policy) -> Option<RoleId> {
    let code = Some(&app.settings.rbac_default_role).filter(|code| !code.is_empty())?;
    let role_id = policy.role_with_code(code)?;
    let facts = &policy.role(role_id)?.facts;
    (!facts.protected && facts.unit_id.is_none()).then_some(role_id)
}
