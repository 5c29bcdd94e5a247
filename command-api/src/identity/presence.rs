//! A session that opens takes a place among its user's, and the oldest gives up theirs where there are too many: in one append.

use events::identity::presence::{self, Command, Open, Presence, place};
use events::identity::session::{self, RevocationReason, Revoke, Session};
use events::identity::user::User;
use events::settings::configuration::Configuration;
use events::settings::{Key, effective};
use events::{Context, UserId};
use platform::problem::Problem;

use crate::draft::Draft;
use crate::facts::Sources;
use crate::log::StreamWrite;

/// What digests of places are made for.
const PLACE: &str = "sign-in-place/v1";

/// What is stored besides because a session opens.
pub(crate) async fn opened(
    sources: &mut Sources<'_>,
    opening: &Draft<Session>,
    context: &Context,
) -> Result<Vec<StreamWrite>, Problem> {
    let session_id = opening.id().parse().map_err(|_| Problem::absent("session"))?;
    let user_id = opening.state().user_id;
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
    let place_sha256 = digest(sources, user_id, opening).await?;
    let facts = presence::Facts { most, ended };
    draft.settle(Command::Open(Open { session_id, place_sha256 }), facts, context).await?;
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

/// Where a session opens from, as it is kept: under a key of the user's own, so that erasing them forgets it.
async fn digest(
    sources: &Sources<'_>,
    user_id: UserId,
    opening: &Draft<Session>,
) -> Result<Option<String>, Problem> {
    let started = opening.events().next();
    let Some(session::Event::Started { ip, user_agent, .. }) = started else { return Ok(None) };
    let ip = ip.and_then(|ip| ip.parse().ok());
    let Some(place) = place(ip, user_agent.as_deref()) else { return Ok(None) };
    let (app, person) = (sources.app, (sources.tenant, user_id.0));
    Ok(Some(app.personal.digest(&app.pool, person, (PLACE, &place)).await?))
}
