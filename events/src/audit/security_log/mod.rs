//! What was refused on one day.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Class, Context, Decider};
use crate::modules::Module;

/// What was refused on one day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SecurityLog {}

/// What can be asked of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {}

/// What can have happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// It began.
    #[serde(rename = "audit.security_log.command_refused")]
    Begun,
}

impl crate::aggregate::Event for Event {}

/// Why it can refuse.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Rejection {}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match *self {}
    }

    fn class(&self) -> Class {
        match *self {}
    }
}

impl Decider for SecurityLog {
    const TYPE: &'static str = "audit.security_log";
    const MODULE: Module = Module::Audit;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Rejection> {
        match command {}
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Begun => {}
        }
    }
}
