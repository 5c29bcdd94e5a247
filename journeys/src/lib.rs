//! Stories across processes, over real Postgres, NATS and Redis; the tests are in `tests/`, what they share is here.

pub mod client;
pub mod history;
pub mod house;
pub mod listener;
pub mod socket;
pub mod traces;
pub mod upheaval;

pub use client::{Client, PASSWORD, Reply};
pub use house::{House, Resident};
pub use listener::{Heard, Listener};
pub use socket::Socket;
