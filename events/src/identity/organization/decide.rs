//! The rules of an organisation.

use jiff::{SignedDuration, Timestamp};

use super::{
    AddUnit, Command, ConfirmPurge, Create, Event, MoveUnit, Organization, PendingPurge, Purge,
    RenameUnit, RequestPurge, Status, Unit,
};
use crate::aggregate::{ActorKind, Class, Context, Decider};
use crate::identity::currencies::is_currency;
use crate::ids::{UnitId, UserId};
use crate::modules::Module;
use crate::text::{self, Fault};

/// Longest name of an organisation or a unit.
pub const NAME_MAX_CHARS: usize = 200;
/// Shortest slug; with the longest it is what fits into a DNS label.
pub const SLUG_MIN_CHARS: usize = 2;
/// Longest slug.
pub const SLUG_MAX_CHARS: usize = 63;
/// Longest reason of a suspension.
pub const REASON_MAX_CHARS: usize = 500;
/// Longest code of a unit.
pub const CODE_MAX_CHARS: usize = 32;
/// Most units of one organisation, closed ones included.
pub const TREE_MAX_UNITS: usize = 10_000;
/// Deepest nesting of units.
pub const TREE_MAX_LEVELS: usize = 16;
/// For how long a purge that was asked for waits to be confirmed.
pub const PURGE_REQUEST_MAX_DAYS: i64 = 30;

/// Why an organisation refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "ORGANIZATION_")]
pub enum Rejection {
    /// The organisation does not exist.
    #[error("there is no such organisation: create it first")]
    Unknown,
    /// The organisation exists already.
    #[error("the organisation exists already: rename it, or create another")]
    Exists,
    /// A name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The slug is not a slug.
    #[error("slug must be 2 to 63 of a-z, digits and inner hyphens: choose another")]
    SlugInvalid,
    /// The time zone is not known.
    #[error("time_zone is not an IANA name: write it like Europe/Berlin")]
    TimeZoneUnknown,
    /// The locale is not a language tag.
    #[error("locale is not a BCP 47 tag: write it like de-CH")]
    LocaleInvalid,
    /// The currency is not known.
    #[error("currency is not an ISO 4217 code: write it like EUR")]
    CurrencyUnknown,
    /// The reason cannot be used.
    #[error("reason {0}")]
    ReasonInvalid(Fault),
    /// Nobody can work in it for now.
    #[error("the organisation is suspended: ask whoever runs this installation")]
    Suspended,
    /// There is no such unit.
    #[error("unit_id names no unit of the organisation: add the unit first")]
    UnitUnknown,
    /// The unit exists already.
    #[error("unit_id is in use: leave it out or make a new one")]
    UnitExists,
    /// The unit is closed.
    #[error("the unit is closed: choose an open one")]
    UnitClosed,
    /// The code of a unit cannot be used.
    #[error("code {0}")]
    UnitCodeInvalid(Fault),
    /// Another unit, open or closed, has the code.
    #[error("code is or was used by another unit: choose another")]
    UnitCodeTaken,
    /// There is no such parent.
    #[error("parent_id names no unit of the organisation: add the parent first")]
    ParentUnknown,
    /// The parent is closed.
    #[error("parent_id names a closed unit: choose an open one")]
    ParentClosed,
    /// The unit would be part of itself.
    #[error("parent_id is the unit itself or part of it: choose a parent outside of it")]
    UnitCycle,
    /// The tree would become too deep.
    #[error("parent_id is too deep: units nest at most {TREE_MAX_LEVELS} levels")]
    TreeTooDeep,
    /// There are too many units.
    #[error("the organisation has {TREE_MAX_UNITS} units, the most there may be: use those it has")]
    TreeFull,
    /// The unit has open parts.
    #[error("the unit has open parts: close or move them first")]
    UnitHasOpenParts,
    /// The organisation is no more.
    #[error("the organisation was purged: nothing of it can be read or changed")]
    Purged,
    /// The slug was not repeated.
    #[error("slug is not that of this organisation: repeat it to show that it is the one you mean")]
    SlugNotRepeated,
    /// Only people decide on a purge.
    #[error("a purge is decided by people: sign in as a user")]
    PurgeNeedsPerson,
    /// Somebody else has asked for a purge.
    #[error("somebody else asked for a purge: confirm theirs, or cancel it first")]
    PurgeRequested,
    /// Nobody has asked for a purge.
    #[error("nobody asked for a purge: ask for it, and have somebody else confirm")]
    PurgeNotRequested,
    /// Who asks for a purge does not confirm it.
    #[error("you asked for this purge: somebody else has to confirm it")]
    PurgeSamePerson,
    /// The request for a purge is too old.
    #[error("the purge was asked for more than {PURGE_REQUEST_MAX_DAYS} days ago: ask for it anew")]
    PurgeLapsed,
    /// The purge is not due.
    #[error("the purge is not confirmed or not due: wait until its effective_at")]
    PurgeNotDue,
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
            Self::Unknown | Self::UnitUnknown => Class::Absent,
            Self::NameInvalid(_)
            | Self::SlugInvalid
            | Self::TimeZoneUnknown
            | Self::LocaleInvalid
            | Self::CurrencyUnknown
            | Self::ReasonInvalid(_)
            | Self::UnitCodeInvalid(_)
            | Self::ParentUnknown
            | Self::SlugNotRepeated => Class::Invalid,
            Self::Exists
            | Self::UnitExists
            | Self::UnitClosed
            | Self::UnitCodeTaken
            | Self::ParentClosed
            | Self::UnitCycle
            | Self::TreeTooDeep
            | Self::TreeFull
            | Self::UnitHasOpenParts
            | Self::PurgeRequested
            | Self::PurgeNotRequested
            | Self::PurgeLapsed
            | Self::PurgeNotDue => Class::Conflict,
            Self::Suspended | Self::Purged | Self::PurgeNeedsPerson | Self::PurgeSamePerson => {
                Class::Forbidden
            }
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::SlugInvalid | Self::SlugNotRepeated => Some("/slug"),
            Self::TimeZoneUnknown => Some("/time_zone"),
            Self::LocaleInvalid => Some("/locale"),
            Self::CurrencyUnknown => Some("/currency"),
            Self::ReasonInvalid(_) => Some("/reason"),
            Self::UnitExists => Some("/unit_id"),
            Self::UnitCodeInvalid(_) | Self::UnitCodeTaken => Some("/code"),
            Self::ParentUnknown | Self::ParentClosed | Self::UnitCycle | Self::TreeTooDeep => {
                Some("/parent_id")
            }
            Self::Unknown
            | Self::Exists
            | Self::Suspended
            | Self::UnitUnknown
            | Self::UnitClosed
            | Self::TreeFull
            | Self::UnitHasOpenParts
            | Self::Purged
            | Self::PurgeNeedsPerson
            | Self::PurgeRequested
            | Self::PurgeNotRequested
            | Self::PurgeSamePerson
            | Self::PurgeLapsed
            | Self::PurgeNotDue => None,
        }
    }
}

/// What the rules need to know besides.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// For how long a confirmed purge can still be cancelled, as the installation has it.
    pub purge_delay_seconds: u32,
}

impl Decider for Organization {
    const TYPE: &'static str = "identity.organization";
    const MODULE: Module = Module::Identity;
    const SHAPE: i64 = 2;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        if let Command::Create(create) = command {
            return self.create(&create);
        }
        match self.status {
            Status::Absent => return Err(Rejection::Unknown),
            Status::Suspended => return self.decide_suspended(&command),
            Status::Purged => return decide_purged(&command),
            Status::Open => {}
        }
        match command {
            Command::Create(_) => Err(Rejection::Exists),
            Command::Suspend(suspend) => {
                let reason = text::lines(&suspend.reason, REASON_MAX_CHARS);
                let reason = reason.map_err(Rejection::ReasonInvalid)?;
                Ok(vec![Event::Suspended { reason }])
            }
            Command::Reactivate => Ok(vec![]),
            Command::Rename(rename) => {
                let name = name(&rename.name)?;
                Ok(if name == self.name { vec![] } else { vec![Event::Renamed { name }] })
            }
            Command::AddUnit(add) => self.add_unit(&add),
            Command::MoveUnit(to) => self.move_unit(&to),
            Command::RenameUnit(rename) => self.rename_unit(&rename),
            Command::CloseUnit(close) => self.close_unit(close.unit_id),
            Command::RequestPurge(request) => self.request_purge(&request, context),
            Command::ConfirmPurge(confirm) => self.confirm_purge(&confirm, facts, context),
            Command::CancelPurge => {
                Ok(if self.purge.is_some() { vec![Event::PurgeCancelled] } else { vec![] })
            }
            Command::Purge(Purge { in_ledger }) => {
                let due = in_ledger || self.is_purge_due(context.now);
                if due { Ok(vec![Event::Purged]) } else { Err(Rejection::PurgeNotDue) }
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Organization {
    /// Whether its users may work in it. One of which nothing is known has none.
    pub fn at_work(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Absent | Status::Open => Ok(()),
            Status::Suspended => Err(Rejection::Suspended),
            Status::Purged => Err(Rejection::Purged),
        }
    }

    fn decide_suspended(&self, command: &Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Reactivate => Ok(vec![Event::Reactivated]),
            Command::Suspend(_) => Ok(vec![]),
            Command::Purge(Purge { in_ledger: true }) => Ok(vec![Event::Purged]),
            // A suspension holds up a purge that is due: whoever runs the installation has the last word.
            Command::Purge(Purge { in_ledger: false })
            | Command::Create(_)
            | Command::Rename(_)
            | Command::AddUnit(_)
            | Command::MoveUnit(_)
            | Command::RenameUnit(_)
            | Command::CloseUnit(_)
            | Command::RequestPurge(_)
            | Command::ConfirmPurge(_)
            | Command::CancelPurge => self.at_work().map(|()| vec![]),
        }
    }

    fn request_purge(
        &self,
        request: &RequestPurge,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let by = person(context)?;
        self.repeated(&request.slug)?;
        match self.purge.as_ref().filter(|purge| !purge.is_lapsed(context.now)) {
            Some(purge) if purge.requested_by == by => Ok(vec![]),
            Some(_) => Err(Rejection::PurgeRequested),
            None => {
                let longest = SignedDuration::from_hours(24 * PURGE_REQUEST_MAX_DAYS);
                Ok(vec![Event::PurgeRequested { by, lapses_at: context.now + longest }])
            }
        }
    }

    fn confirm_purge(
        &self,
        confirm: &ConfirmPurge,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let by = person(context)?;
        self.repeated(&confirm.slug)?;
        let purge = self.purge.as_ref().ok_or(Rejection::PurgeNotRequested)?;
        if purge.effective_at.is_some() {
            return Ok(vec![]);
        }
        if purge.is_lapsed(context.now) {
            return Err(Rejection::PurgeLapsed);
        }
        if purge.requested_by == by {
            return Err(Rejection::PurgeSamePerson);
        }
        let delay = SignedDuration::from_secs(facts.purge_delay_seconds.into());
        Ok(vec![Event::PurgeConfirmed { by, effective_at: context.now + delay }])
    }

    fn is_purge_due(&self, now: Timestamp) -> bool {
        let effective_at = self.purge.as_ref().and_then(|purge| purge.effective_at);
        effective_at.is_some_and(|at| at <= now)
    }

    fn repeated(&self, slug: &str) -> Result<(), Rejection> {
        if slug == self.slug { Ok(()) } else { Err(Rejection::SlugNotRepeated) }
    }

    fn create(&self, create: &Create) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => {}
            Status::Open | Status::Suspended | Status::Purged => return Err(Rejection::Exists),
        }
        let currency = create.currency.trim().to_ascii_uppercase();
        Ok(vec![Event::Created {
            name: name(&create.name)?,
            slug: slug(&create.slug)?,
            time_zone: time_zone(&create.time_zone)?,
            locale: text::locale(&create.locale).ok_or(Rejection::LocaleInvalid)?,
            currency: is_currency(&currency)
                .then_some(currency)
                .ok_or(Rejection::CurrencyUnknown)?,
        }])
    }

    fn add_unit(&self, add: &AddUnit) -> Result<Vec<Event>, Rejection> {
        if self.units.contains_key(&add.unit_id) {
            return Err(Rejection::UnitExists);
        }
        if self.units.len() >= TREE_MAX_UNITS {
            return Err(Rejection::TreeFull);
        }
        let code = text::line(&add.code, CODE_MAX_CHARS).map_err(Rejection::UnitCodeInvalid)?;
        let folded = text::fold(&code);
        if self.units.values().any(|unit| text::fold(&unit.code) == folded) {
            return Err(Rejection::UnitCodeTaken);
        }
        if let Some(parent) = add.parent_id {
            self.parent(parent, 1)?;
        }
        Ok(vec![Event::UnitAdded {
            unit_id: add.unit_id,
            kind: add.kind,
            code,
            name: name(&add.name)?,
            parent_id: add.parent_id,
            time_zone: add.time_zone.as_deref().map(time_zone).transpose()?,
        }])
    }

    fn move_unit(&self, to: &MoveUnit) -> Result<Vec<Event>, Rejection> {
        let unit = self.open_unit(to.unit_id)?;
        if unit.parent_id == to.parent_id {
            return Ok(vec![]);
        }
        if let Some(parent) = to.parent_id {
            if self.path(parent).contains(&to.unit_id) {
                return Err(Rejection::UnitCycle);
            }
            self.parent(parent, self.height(to.unit_id))?;
        }
        Ok(vec![Event::UnitMoved { unit_id: to.unit_id, parent_id: to.parent_id }])
    }

    fn rename_unit(&self, rename: &RenameUnit) -> Result<Vec<Event>, Rejection> {
        let unit = self.open_unit(rename.unit_id)?;
        let name = name(&rename.name)?;
        if name == unit.name {
            return Ok(vec![]);
        }
        Ok(vec![Event::UnitRenamed { unit_id: rename.unit_id, name }])
    }

    fn close_unit(&self, id: UnitId) -> Result<Vec<Event>, Rejection> {
        if self.units.get(&id).ok_or(Rejection::UnitUnknown)?.closed {
            return Ok(vec![]);
        }
        if self.children(id).any(|(_, part)| !part.closed) {
            return Err(Rejection::UnitHasOpenParts);
        }
        Ok(vec![Event::UnitClosed { unit_id: id }])
    }

    fn open_unit(&self, id: UnitId) -> Result<&Unit, Rejection> {
        let unit = self.units.get(&id).ok_or(Rejection::UnitUnknown)?;
        if unit.closed { Err(Rejection::UnitClosed) } else { Ok(unit) }
    }

    /// Whether `levels` more levels may hang below a unit.
    fn parent(&self, id: UnitId, levels: usize) -> Result<(), Rejection> {
        let parent = self.units.get(&id).ok_or(Rejection::ParentUnknown)?;
        if parent.closed {
            return Err(Rejection::ParentClosed);
        }
        if self.path(id).len() + levels > TREE_MAX_LEVELS {
            return Err(Rejection::TreeTooDeep);
        }
        Ok(())
    }

    /// How many levels a unit and its parts span.
    fn height(&self, id: UnitId) -> usize {
        let level = self.path(id).len();
        let parts = self.units.keys().map(|unit| self.path(*unit));
        let deepest = parts.filter(|path| path.contains(&id)).map(|path| path.len()).max();
        deepest.unwrap_or(level) + 1 - level
    }
}

impl PendingPurge {
    /// Whether nobody confirmed it in time.
    fn is_lapsed(&self, now: Timestamp) -> bool {
        self.effective_at.is_none() && self.lapses_at <= now
    }
}

/// That it was purged need not be said twice; everything else is over.
fn decide_purged(command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Purge(_) => Ok(vec![]),
        Command::Create(_)
        | Command::Rename(_)
        | Command::Suspend(_)
        | Command::Reactivate
        | Command::AddUnit(_)
        | Command::MoveUnit(_)
        | Command::RenameUnit(_)
        | Command::CloseUnit(_)
        | Command::RequestPurge(_)
        | Command::ConfirmPurge(_)
        | Command::CancelPurge => Err(Rejection::Purged),
    }
}

/// The user who decides.
fn person(context: &Context) -> Result<UserId, Rejection> {
    let actor = &context.actor;
    let user = (actor.kind == ActorKind::User).then(|| actor.id.parse().ok()).flatten();
    user.ok_or(Rejection::PurgeNeedsPerson)
}

fn name(text: &str) -> Result<String, Rejection> {
    text::line(text, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}

fn time_zone(name: &str) -> Result<String, Rejection> {
    text::time_zone(name).map(str::to_owned).ok_or(Rejection::TimeZoneUnknown)
}

fn slug(text: &str) -> Result<String, Rejection> {
    let slug = text.trim().to_ascii_lowercase();
    let valid = (SLUG_MIN_CHARS..=SLUG_MAX_CHARS).contains(&slug.len())
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if valid { Ok(slug) } else { Err(Rejection::SlugInvalid) }
}
