//! Something to be done, mostly on an asset, by whoever is assigned to it.
//!
//! It is begun, blocked and gone on with, and completed once nothing is missing: mandatory subtasks and items of its checklist, photos,
//! criteria, confirmations, and the tasks that come before it. What is missing is named, all of it. What a plan made is replaced or put
//! off by the plan only for as long as nobody has begun it. Cancelled and superseded are final; what is completed can be reopened.

mod commands;
mod completion;
mod decide;
mod events;
mod prerequisites;
mod progress;
mod rejection;
mod requirements;
mod shown;
mod state;
mod subtasks;
#[cfg(test)]
mod tests;

pub use commands::*;
pub use completion::*;
pub use decide::*;
pub use events::*;
pub use prerequisites::Other;
pub use progress::DUE_SOON;
pub use rejection::*;
pub use requirements::*;
pub use shown::*;
pub use state::*;
