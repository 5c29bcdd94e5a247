//! A session that opens takes a place among its user's, and the oldest gives up theirs where there are too many: in one append.

use events::identity::presence::{self, Command, Open, Presence};
use events::identity::session::{self, RevocationReason, Revoke, Session};
use events::identity::user::User;
use events::settings::configuration::Configuration;
use events::settings::{Key, effective};
use events::{Context, SessionId, UserId};
use platform::problem::Problem;

use crate::draft::Draft;
use crate::facts::Sources;
use crate::log::StreamWrite;

/// What is stored besides because a session opens.
pub(crate) async fn opened(
    sources: &mut Sources<'_>,
    (session_id, user_id): (SessionId, UserId),
    context: &Context,
) -> Result<Vec<StreamWrite>, Problem> {
    let (tenant, id) = (sources.tenant.to_string(), user_id.to_string());
    let configuration = sources.get::<Configuration>(&tenant).await?.state;
    let most = effective(Key::IdentitySessionsPerUser, &configuration, &[]).value;
    let most = most.integer().and_then(|most| usize::try_from(most).ok()).unwrap_or(1);
    let presence = sources.now::<Presence>(&id).await?;
    let user = sources.now::<User>(&id).await?.state;
    let (mut ended, mut live) = (Vec::new(), Vec::new());
    if presence.state.open.len() >= most {
        for open in &presence.state.open {
            let session = sources.now::<Session>(&open.to_string()).await?;
            let kept = user.keeps(*open, session.state.began_after);
            if kept && session.state.alive(context.now).is_ok() {
                live.push((*open, session));
            } else {
                ended.push(*open);
            }
        }
    }
    let mut draft = Draft::<Presence>::new(id, &presence);
    let facts = presence::Facts { most, ended };
    draft.settle(Command::Open(Open { session_id }), facts, context).await?;
    let mut streams = vec![draft.write()];
    live.retain(|(id, _)| !draft.state().open.contains(id));
    for (id, session) in live {
        let mut ending = Draft::<Session>::new(id.to_string(), &session);
        let revoke = session::Command::Revoke(Revoke { reason: RevocationReason::Displaced });
        ending.settle(revoke, session::Facts::default(), context).await?;
        streams.push(ending.write());
    }
    Ok(streams)
}
