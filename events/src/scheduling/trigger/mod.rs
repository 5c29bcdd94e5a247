//! Something that happens when its time has come: once, again and again, or as a counter grows.
//!
//! Only what is later than everything settled can be fired, so a second scheduler, or a second look at the clock, fires nothing
//! again. A revision counts from a moment on and leaves what lies before to the version it had. What was missed, because nobody
//! was there or because days are closed, is recorded as skipped, with the reason. When the next occurrence is due is part of
//! every event, as it was planned then; when a calendar changes, the plan is made anew. With a lead it happens so much earlier, for
//! occurrences that stay what they are. A trigger can belong to a record, which alone says how it goes on with it.

mod commands;
mod decide;
mod events;
mod fire;
mod managed;
mod rejections;
mod state;
#[cfg(test)]
mod tests;

pub use commands::*;
pub(crate) use decide::owner;
pub use events::*;
pub use fire::*;
pub use managed::*;
pub use rejections::*;
pub use state::*;
