//! Routes that end sessions.

use events::identity::session::{Command, RevocationReason, Revoke, Session};
use events::identity::user::{self, User};
use events::{Module, Permission, SessionId};
use platform::problem::Problem;
use platform::routes::Route;

use crate::pipeline::Target;
use crate::registry::{Nothing, Registry};

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Nothing, Session>(
        Route::delete("/sessions/{session_id}", Module::Identity, "identity_session_revoke")
            .summary("end somebody's session; your own ends by signing out")
            .needs(Permission::IdentitySessionsManage),
        |call| {
            let session: SessionId = call.id("session_id")?;
            let reason = RevocationReason::Admin;
            Ok(Target::new(session, Command::Revoke(Revoke { reason })))
        },
    );
    registry.command::<Nothing, User>(
        Route::delete("/sessions", Module::Identity, "identity_user_end_sessions")
            .summary("sign out everywhere, here too")
            .in_person(),
        |call| {
            let user = call.principal.user();
            let user = user.ok_or_else(|| Problem::forbidden("a service has no sessions"))?;
            Ok(Target::new(user, user::Command::EndSessions))
        },
    );
}
