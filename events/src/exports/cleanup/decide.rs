//! The rules of a clean-up.

use jiff::SignedDuration;

use super::{Cleanup, Command, Event};
use crate::aggregate::{Class, Context, Decider};
use crate::modules::Module;

/// Most days.
pub const DAYS_MAX_COUNT: u32 = 3_650;

/// Why a clean-up refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "CLEANUP_")]
pub enum Rejection {
    /// It was asked for already.
    #[error("the clean-up exists already: request another")]
    Exists,
    /// So many days are not kept.
    #[error("days_to_keep must be at most {DAYS_MAX_COUNT}: give fewer days")]
    DaysInvalid,
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
            Self::Exists => Class::Conflict,
            Self::DaysInvalid => Class::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::Exists => None,
            Self::DaysInvalid => Some("/days_to_keep"),
        }
    }
}

impl Decider for Cleanup {
    const TYPE: &'static str = "exports.cleanup";
    const MODULE: Module = Module::Exports;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(
        &self,
        command: Command,
        (): &(),
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let Command::Request { days_to_keep } = command;
        if self.made_before.is_some() {
            return Err(Rejection::Exists);
        }
        let kept = SignedDuration::from_hours(24 * i64::from(days_to_keep));
        let made_before = context.now.checked_sub(kept).ok();
        let made_before = made_before.filter(|_| days_to_keep <= DAYS_MAX_COUNT);
        let made_before = made_before.ok_or(Rejection::DaysInvalid)?;
        Ok(vec![Event::Requested { days_to_keep, made_before }])
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}
