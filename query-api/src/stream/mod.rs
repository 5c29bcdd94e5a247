//! Live streams of events: one reader of the log for all subscribers of an organisation, and four ways to listen to it.

mod admission;
pub(crate) mod asyncapi;
mod cursor;
mod end;
mod feed;
mod frames;
pub(crate) mod http;
pub(crate) mod hub;
mod lane;
pub(crate) mod matching;
pub(crate) mod socket;
mod spec;
mod subscription;
pub(crate) mod ticket;
mod words;
