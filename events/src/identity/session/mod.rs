//! The session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::{Class, Context, Decider};
use crate::modules::Module;

/// State.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {}
/// Commands.
#[derive(Debug, Clone)]
pub enum Command {}
/// Events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// It exists.
    #[serde(rename = "identity.session.started")]
    Created {},
}
impl crate::aggregate::Event for Event {}
/// Refusals.
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
impl Decider for Session {
    const TYPE: &'static str = "identity.session";
    const MODULE: Module = Module::Identity;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();
    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Rejection> {
        match command {}
    }
    fn evolve(&mut self, _: &Event) {}
}
