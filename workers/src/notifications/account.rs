//! What people are told of their own accounts: passwords, locks, new places, and API keys that are to end.

use std::collections::BTreeSet;

use anyhow::Context as _;
use events::identity::api_key::{self, ApiKey};
use events::identity::presence::{self, Presence};
use events::identity::session::RevocationReason;
use events::identity::user;
use events::notifications::notification::{Kind, Priority};
use events::{Decider as _, SessionId};

use super::tell::{Cause, Message, first_event, user_of};
use crate::runtime::{Job, Office};

/// Whoever's account it is hears of what they may not have done themselves.
pub(super) fn of_account(cause: &Cause) -> anyhow::Result<Option<Message>> {
    let user_id = cause.stream_id.parse().context("the stream is no user's")?;
    let message = |title: &str, text| {
        Some(Message {
            user_id,
            kind: Kind::Security,
            title: title.into(),
            text,
            priority: Priority::High,
        })
    };
    // Two events of many; the others are not asked for.
    let event: user::Event = serde_json::from_str(&cause.payload)?;
    Ok(if let user::Event::SessionsEnded { reason: RevocationReason::Password, .. } = event {
        // A first password ends nothing, and is no news to whoever was just registered with it.
        message(
            "Your password was changed",
            "All other sessions were ended. If it was not you, have your password reset.".into(),
        )
    } else if let user::Event::Locked { until } = event {
        let until = until.strftime("%Y-%m-%d %H:%M UTC");
        let text = format!("Too many sign-ins with a wrong password. It opens again at {until}.");
        message("Your account was locked", text)
    } else {
        None
    })
}

/// The session that opened from another place than all those before.
pub(super) fn opened_elsewhere(stream: &str, payload: &str) -> Option<SessionId> {
    if stream != Presence::TYPE {
        return None;
    }
    match serde_json::from_str(payload).ok()? {
        presence::Event::PlaceFirstSeen { session_id, known, .. } => {
            (known > 0).then_some(session_id)
        }
        presence::Event::SessionOpened { .. } => None,
    }
}

/// From where is not said: the list of sessions shows it to whom it is about.
pub(super) fn of_place(cause: &Cause) -> anyhow::Result<Option<Message>> {
    let user_id = cause.stream_id.parse().context("the stream is no user's")?;
    let at = cause.at.context("the job does not say when")?.strftime("%Y-%m-%d %H:%M UTC");
    Ok(Some(Message {
        user_id,
        kind: Kind::Security,
        title: "You signed in from a new place".into(),
        text: format!(
            "A session began at {at} with a program or in a network that you had not used before. If it was not you, end that \
             session and change your password."
        ),
        priority: Priority::High,
    }))
}

/// The owner hears of it, and whoever made the key, who may be the only one to know what uses it.
pub(super) async fn of_key(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    // One event of many; the others are not asked for.
    let event: api_key::Event = serde_json::from_str(&cause.payload)?;
    let api_key::Event::EndAnnounced { expires_at } = event else { return Ok(Vec::new()) };
    let key = office.aggregates.refresh::<ApiKey>(job.tenant_id, &cause.stream_id).await?.state;
    let (_, metadata) = first_event(office, job, cause).await?;
    let told: BTreeSet<_> = user_of(&metadata)?.into_iter().chain([key.owner_id]).collect();
    let at = expires_at.strftime("%Y-%m-%d %H:%M UTC");
    let message = |user_id| Message {
        user_id,
        kind: Kind::ApiKeyEnds,
        title: format!("The API key “{}” ends soon", key.name),
        text: format!("It is good until {at}. Rotate it, and give what uses it the new secret."),
        priority: Priority::Normal,
    };
    Ok(told.into_iter().map(message).collect())
}
