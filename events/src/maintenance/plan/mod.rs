//! The upkeep of one asset: its schedules, what comes before what, and the occurrences whose tasks are not over.
//!
//! A schedule says when there is something to do and what; a trigger of the same id, which belongs to the plan, says that the time has
//! come. A revision counts from a moment on and leaves what lies before to the version it had. An occurrence of a schedule that depends
//! on others waits for as long as these have one up to its day that is not over or still to come; the decision by which the last of them
//! is over lets it go on. The stream has the id of the asset.

mod commands;
mod decide;
mod dependencies;
mod events;
mod fate;
mod occurrences;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use decide::*;
pub use events::*;
pub use fate::*;
pub use rejection::*;
pub use state::*;

/// On which asset each schedule is: one claim per schedule, which is never given back.
pub const SCHEDULE: &str = "maintenance.plan.schedule";

/// The operation by which an occurrence is recorded, which the triggers of schedules lead to.
pub const RECORD_OCCURRENCE: &str = "maintenance_plan_record_occurrence";

/// What each claim means to whoever is refused it: namespace, code, detail.
pub const CLAIMS: &[(&str, &str, &str)] =
    &[(SCHEDULE, "SCHEDULE_TAKEN", "another asset has a schedule of this id: give it another")];
