//! query-api as its clients see it: real Postgres, real projections, real sockets.

mod access;
mod casbin;
mod documents;
mod duties;
mod events;
mod exports;
mod files;
mod incits359;
mod lists;
mod places;
mod rights;
mod scheduling;
mod settings;
mod socket;
mod sse;
mod standing;
mod streams;
mod support;
mod tickets;
mod travel;
mod units;
mod waiting;
