//! What can be asked of a clean-up.

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Lets the files go that were made more than so many days ago.
    Request {
        /// How many days.
        days_to_keep: u32,
    },
}
