//! The access policy of one organisation: roles, permissions and inheritance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Class, Context, Decider};
use crate::modules::Module;

/// The access policy of one organisation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {}

/// What can be asked of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {}

/// What can have happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// It began.
    #[serde(rename = "rbac.policy.initialized")]
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

impl Decider for Policy {
    const TYPE: &'static str = "rbac.policy";
    const MODULE: Module = Module::Rbac;
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
