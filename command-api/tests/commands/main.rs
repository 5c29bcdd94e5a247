//! command-api against a real Postgres: what a client sees, and what the log then holds.

mod access;
mod accounts;
mod api_keys;
mod batch;
mod cancelled;
mod conventions;
mod documentation;
mod dry_runs;
mod effects;
mod erasure;
mod exclusion;
mod files;
mod idempotency;
mod identity;
mod invitations;
mod issuers;
mod kit;
mod log;
mod oidc;
mod presence;
mod profiles;
mod replays;
mod scheduling;
mod settings;
mod units;
