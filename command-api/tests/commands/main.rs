//! command-api against a real Postgres: what a client sees, and what the log then holds.

mod access;
mod accounts;
mod cancelled;
mod documentation;
mod idempotency;
mod identity;
mod invitations;
mod kit;
mod log;
mod settings;
