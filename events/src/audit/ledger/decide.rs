//! The rules of archiving the trail: only what is over, sealed and archived can be dropped.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Archive, Command, Event, Ledger, SigningRefusal};
use crate::aggregate::{Class, Context, Decider};
use crate::modules::Module;
use crate::text;

/// Longest root of a checkpoint, in characters.
const ROOT_MAX_CHARS: usize = 64;

/// Longest reason that is kept of a refusal to sign, in characters.
const REASON_MAX_CHARS: usize = 1_000;

/// Why the ledger refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "AUDIT_")]
pub enum Rejection {
    /// The date is not the first of a month.
    #[error("{0} must be the first day of a month: name the month by it")]
    MonthInvalid(&'static str),
    /// The month is not over.
    #[error("the month is not over: choose an earlier one")]
    MonthNotOver,
    /// Nobody asked for the month.
    #[error("nobody asked for the month to be archived: request it first")]
    NotRequested,
    /// The month was archived with other entries.
    #[error("the month is archived with other contents: keep that file")]
    ArchivedOtherwise,
    /// The month is not archived.
    #[error("the month is not archived: archive it first")]
    NotArchived,
    /// The checkpoint does not cover the month.
    #[error("the checkpoint is of fewer events than the month ends with: wait until it is sealed")]
    NotSealed,
    /// There are entries between the month and the one that is archived before it.
    #[error(
        "the month begins with entry {first}, and the one archived before it ends with {last}: archive those between first"
    )]
    NotJoined {
        /// Its first entry.
        first: u64,
        /// The last entry that is archived before it; 0 where there is none.
        last: u64,
    },
    /// The numbers of the entries contradict each other.
    #[error("rows, first_seq and last_seq do not belong together: count again")]
    CountInvalid,
    /// The digest is not one.
    #[error("sha256 must be 64 lower-case hexadecimal digits: send the digest of the file")]
    DigestInvalid,
    /// The root is not one.
    #[error("checkpoint_root must be the root in base64: send it as the checkpoint has it")]
    RootInvalid,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::MonthInvalid(_)
            | Self::CountInvalid
            | Self::DigestInvalid
            | Self::RootInvalid => Class::Invalid,
            Self::MonthNotOver
            | Self::NotRequested
            | Self::ArchivedOtherwise
            | Self::NotArchived
            | Self::NotJoined { .. }
            | Self::NotSealed => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::MonthInvalid("older_than") => Some("/older_than"),
            Self::MonthInvalid(_) => Some("/month"),
            Self::CountInvalid => Some("/rows"),
            Self::DigestInvalid => Some("/sha256"),
            Self::RootInvalid => Some("/checkpoint_root"),
            Self::MonthNotOver
            | Self::NotRequested
            | Self::ArchivedOtherwise
            | Self::NotArchived
            | Self::NotJoined { .. }
            | Self::NotSealed => None,
        }
    }
}

impl Decider for Ledger {
    const TYPE: &'static str = "audit.ledger";
    const MODULE: Module = Module::Audit;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(
        &self,
        command: Command,
        (): &(),
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let today = context.now.to_zoned(TimeZone::UTC).date();
        match command {
            Command::RequestArchive { older_than } => {
                first_of_month(older_than, "older_than")?;
                if older_than > today {
                    return Err(Rejection::MonthNotOver);
                }
                Ok(vec![Event::ArchiveRequested { older_than }])
            }
            Command::RecordArchive(archive) => self.record(archive),
            Command::DropMonth { month } => {
                first_of_month(month, "month")?;
                let known = self.months.get(&month).ok_or(Rejection::NotArchived)?;
                let event = Event::MonthDropped { month };
                Ok(if known.dropped { Vec::new() } else { vec![event] })
            }
            // The notary says it at every try; it is one refusal until it has signed again.
            Command::RecordSigningRefusal(refusal) if self.refused_since >= Some(refusal.since) => {
                Ok(Vec::new())
            }
            Command::RecordSigningRefusal(refusal) => {
                let reason = text::cut(&refusal.reason, REASON_MAX_CHARS);
                Ok(vec![Event::SigningRefused(SigningRefusal { reason, ..refusal })])
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Ledger {
    /// A month that was archived before, with the same entries, stays as it is: the worker was told to do it twice.
    fn record(&self, archive: Archive) -> Result<Vec<Event>, Rejection> {
        first_of_month(archive.month, "month")?;
        if self.requested_before.is_none_or(|before| archive.month >= before) {
            return Err(Rejection::NotRequested);
        }
        text::sha256(&archive.sha256).ok_or(Rejection::DigestInvalid)?;
        let root = &archive.checkpoint_root;
        if root.is_empty() || root.len() > ROOT_MAX_CHARS || !root.is_ascii() {
            return Err(Rejection::RootInvalid);
        }
        let span = archive.last_seq.checked_sub(archive.first_seq).map(|span| span + 1);
        if archive.first_seq == 0 || span != Some(archive.rows) {
            return Err(Rejection::CountInvalid);
        }
        if archive.checkpoint_size < archive.last_seq {
            return Err(Rejection::NotSealed);
        }
        let before = self.months.range(..archive.month).next_back();
        let last = before.map_or(0, |(_, month)| month.archive.last_seq);
        let first = archive.first_seq;
        match self.months.get(&archive.month) {
            None if first - 1 != last => Err(Rejection::NotJoined { first, last }),
            None => Ok(vec![Event::Archived(archive)]),
            Some(known) if known.archive.sha256 == archive.sha256 => Ok(Vec::new()),
            Some(_) => Err(Rejection::ArchivedOtherwise),
        }
    }
}

fn first_of_month(date: Date, member: &'static str) -> Result<(), Rejection> {
    if date.day() == 1 { Ok(()) } else { Err(Rejection::MonthInvalid(member)) }
}
