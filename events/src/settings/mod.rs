//! Settings and feature flags of an organisation, and of its units where a setting allows it.
//!
//! What can be set is a closed list ([`Key`]), each with its type, its bounds and its default; what
//! was not set holds by default, so nothing is ever missing. A unit without a choice of its own
//! takes that of the nearest unit above it, then the organisation's; of a few settings a user may have
//! a choice of their own, which comes before. Feature flags ([`Flag`]) let a
//! feature reach nobody, some units, a share of the users or everybody; the environment of the
//! installation has the last word. What an organisation is (name, time zone, language, currency) is not set here
//! but recorded by `identity.organization`; who may do what is decided in `rbac` alone.

pub mod configuration;
mod effective;
mod flag;
mod key;

pub use effective::{Caller, Effective, Source, Verdict, Why, effective, effective_for, verdict};
pub use flag::{BUCKETS, Flag, bucket};
pub use key::{Form, Key, Misfit, Value};
