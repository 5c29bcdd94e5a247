//! Routes that end sessions.

use events::identity::session::{Command, RevocationReason, Revoke, Session};
use events::{Module, Permission, SessionId};
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
}
