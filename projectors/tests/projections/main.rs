//! Projections on a real log: fed, killed, poisoned, rebuilt and proved.

mod feeding;
mod hooks;
mod models;
mod parking;
mod personal;
mod purging;
mod rebuilding;
mod server;
mod support;
mod tallies;
mod upkeep;
mod workload;
