//! Access: which roles there are, what they may do, who holds them, and why somebody may or may not.
//!
//! A *role* bundles permissions and may inherit from junior roles. A *permission* is a name
//! `resource.path:action`, from the catalogue or made by the organisation; a grant may be a pattern.
//! An *assignment* gives a role to a user, perhaps in one unit only, perhaps until some time.
//! A *protected* role is held by grant of the policy itself, so that its last administrator stays.

pub mod assignment;
pub mod casbin;
pub mod chain;
mod escalation;
pub mod exclusion;
pub mod giving;
#[cfg(test)]
mod incits359;
pub mod name;
pub mod policy;
pub mod resolve;
pub mod review;
pub mod scope;
pub mod template;
pub mod unit_access;
pub mod user_access;

pub use assignment::Assignment;
pub use escalation::is_escalation;
