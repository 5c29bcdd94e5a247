//! The relay against a real Postgres and a real nats-server, both of which are stopped, wiped and lied to.

mod leading;
mod order;
mod repair;
mod support;
