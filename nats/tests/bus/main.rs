//! The bus against a real nats-server, one for each test.

mod events;
mod jobs;
mod support;
mod topology;
