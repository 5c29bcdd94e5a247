//! Routes that end sessions.

use events::identity::session::{Command, RevocationReason, Revoke, Session, Status};
use events::identity::user::{self, User};
use events::{Module, Permission, SessionId};
use platform::problem::Problem;
use platform::routes::Route;

use crate::pipeline::{Owner, Target};
use crate::registry::{Nothing, Registry};

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Nothing, Session>(
        Route::delete("/sessions/{session_id}", Module::Identity, "identity_session_revoke")
            .summary("end a session of your own, or with the permission somebody else's")
            .in_person(),
        |call| {
            let session: SessionId = call.id("session_id")?;
            let revoke = Command::Revoke(Revoke { reason: RevocationReason::Admin });
            let of = |it: &Session| (it.status != Status::Absent).then_some(it.user_id);
            let owner = Owner { of, others_need: Permission::IdentitySessionsManage };
            Ok(Target { owners: vec![owner], ..Target::new(session, revoke) })
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
