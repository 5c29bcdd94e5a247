//! What can be asked of an organisation's trail as a whole.

use jiff::civil::Date;

use super::{Archive, SigningRefusal};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for all months before a date to be archived.
    RequestArchive {
        /// The first day of the first month that stays.
        older_than: Date,
    },
    /// A worker has written a month into a file and read it back.
    RecordArchive(Archive),
    /// Takes an archived month out of the trail.
    DropMonth {
        /// Its first day.
        month: Date,
    },
    /// The notary refuses to sign the log.
    RecordSigningRefusal(SigningRefusal),
}
