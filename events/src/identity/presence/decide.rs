//! The rules of a user's presence.

use super::{Command, Event, Open, Presence};
use crate::aggregate::{Class, Context, Decider};
use crate::ids::SessionId;
use crate::modules::Module;

/// Why a presence refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "PRESENCE_")]
pub enum Rejection {
    /// Nobody may have a session.
    #[error("no session is allowed: set identity.sessions_per_user to one at least")]
    NoRoom,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::NoRoom => Class::Forbidden,
        }
    }
}

/// What the rules need to know besides.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// How many sessions one user may have at a time.
    pub most: usize,
    /// Those of the user's that have ended, where there are as many as that.
    pub ended: Vec<SessionId>,
}

impl Decider for Presence {
    const TYPE: &'static str = "identity.presence";
    const MODULE: Module = Module::Identity;
    const SHAPE: i64 = 2;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        _: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let Command::Open(Open { session_id, place_sha256 }) = command;
        if facts.most == 0 {
            return Err(Rejection::NoRoom);
        }
        if self.open.contains(&session_id) {
            return Ok(vec![]);
        }
        let (ended, live): (Vec<_>, Vec<_>) =
            self.open.iter().copied().partition(|open| facts.ended.contains(open));
        let too_many = (live.len() + 1).saturating_sub(facts.most);
        let displaced = live.into_iter().take(too_many).collect();
        let opened = Event::SessionOpened { session_id, ended, displaced };
        let unknown = place_sha256.filter(|place| !self.places.contains(place));
        let known = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let seen =
            unknown.map(|place_sha256| Event::PlaceFirstSeen { place_sha256, session_id, known });
        Ok([opened].into_iter().chain(seen).collect())
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}
