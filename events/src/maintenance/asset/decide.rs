//! The rules of an asset.

use super::{
    Amended, Asset, CATEGORY_MAX_CHARS, Change, Command, Event, Level, NAME_MAX_CHARS, Register,
    Rejection, SERIAL_MAX_CHARS, Status, TAG_MAX_CHARS, With,
};
use crate::aggregate::{Context, Decider};
use crate::ids::UnitId;
use crate::modules::Module;
use crate::money::Money;
use crate::text;

/// What decisions about an asset need to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// How far the caller may deal with it; nothing where they may not know of it.
    pub reach: Option<Level>,
    /// What is known of the unit that it is to belong to.
    pub place: Place,
    /// Those whom it is to be shared with who are not there.
    pub strangers: Vec<With>,
}

/// A unit that an asset is to belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// There is no such unit.
    #[default]
    Unknown,
    /// It is closed.
    Closed,
    /// It is open, or none is meant.
    Open,
}

impl Decider for Asset {
    const TYPE: &'static str = "maintenance.asset";
    const MODULE: Module = Module::Maintenance;
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
        match (self.status, command) {
            (Status::Absent, Command::Register(register)) => begin(register, facts),
            (
                Status::Absent,
                Command::Change(_)
                | Command::RecordUsage(_)
                | Command::ResetCounter { .. }
                | Command::SetSharing { .. }
                | Command::Move { .. }
                | Command::AnnounceWarrantyEnd
                | Command::Retire,
            ) => Err(Rejection::Unknown),
            (Status::Active | Status::Retired, Command::Register(_)) => Err(Rejection::Exists),
            (Status::Active | Status::Retired, command) => {
                if let Some(needed) = command.needs() {
                    let reach = facts.reach.ok_or(Rejection::Unknown)?;
                    if reach < needed {
                        return Err(Rejection::BeyondLevel(needed));
                    }
                }
                self.decide_alive(command, facts, context)
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Asset {
    fn decide_alive(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match (self.status, command) {
            (Status::Retired, Command::Retire | Command::AnnounceWarrantyEnd) => Ok(vec![]),
            (Status::Absent | Status::Retired, _) => Err(Rejection::Retired),
            (Status::Active, Command::Register(_)) => Err(Rejection::Exists),
            (Status::Active, Command::Change(change)) => self.change(change),
            (Status::Active, Command::RecordUsage(usage)) => self.record_usage(&usage, context.now),
            (Status::Active, Command::ResetCounter { counter, reason }) => {
                self.reset_counter(&counter, &reason, context.now)
            }
            (Status::Active, Command::SetSharing { visibility, shares }) => {
                self.set_sharing(visibility, &shares, facts)
            }
            (Status::Active, Command::Move { unit_id }) => self.move_to(unit_id, facts),
            (Status::Active, Command::AnnounceWarrantyEnd) => {
                Ok(self.announce_warranty_end(context.now))
            }
            (Status::Active, Command::Retire) => Ok(vec![Event::Retired]),
        }
    }

    fn change(&self, change: Change) -> Result<Vec<Event>, Rejection> {
        let tag = change.tag.as_deref().map(checked_tag).transpose()?;
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let category = change.category.map(checked_category).transpose()?;
        let serial = change.serial.map(checked_serial).transpose()?;
        let cost = change.cost.map(checked_cost).transpose()?;
        let amended = Amended {
            name: name.filter(|name| *name != self.name),
            category: category.filter(|category| *category != self.category),
            serial: serial.filter(|serial| *serial != self.serial),
            acquired_on: change.acquired_on.filter(|day| *day != self.acquired_on),
            warranty_until: change.warranty_until.filter(|day| *day != self.warranty_until),
            cost: cost.filter(|cost| *cost != self.cost),
        };
        let mut then = self.clone();
        then.evolve(&Event::Amended(amended.clone()));
        if then.acquired_on > then.warranty_until && then.warranty_until.is_some() {
            return Err(Rejection::WarrantyInvalid);
        }
        let retagged = tag
            .filter(|tag| *tag != self.tag)
            .map(|tag| Event::Retagged { previous: self.tag.clone(), tag });
        let amended = (amended != Amended::default()).then_some(Event::Amended(amended));
        Ok(retagged.into_iter().chain(amended).collect())
    }

    fn move_to(&self, unit_id: Option<UnitId>, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        if unit_id == self.unit_id {
            return Ok(vec![]);
        }
        check_place(facts)?;
        Ok(vec![Event::Moved { from: self.unit_id, unit_id }])
    }
}

fn begin(register: Register, facts: &Facts) -> Result<Vec<Event>, Rejection> {
    let Register { tag, name, category, serial, unit_id, acquired_on, warranty_until, cost } =
        register;
    check_place(facts)?;
    if warranty_until.is_some() && acquired_on > warranty_until {
        return Err(Rejection::WarrantyInvalid);
    }
    Ok(vec![Event::Registered {
        tag: checked_tag(&tag)?,
        name: checked_name(&name)?,
        category: checked_category(category)?,
        serial: checked_serial(serial)?,
        unit_id,
        acquired_on,
        warranty_until,
        cost: checked_cost(cost)?,
    }])
}

fn check_place(facts: &Facts) -> Result<(), Rejection> {
    match facts.place {
        Place::Unknown => Err(Rejection::UnitUnknown),
        Place::Closed => Err(Rejection::UnitClosed),
        Place::Open => Ok(()),
    }
}

fn checked_tag(tag: &str) -> Result<String, Rejection> {
    text::line(tag, TAG_MAX_CHARS).map_err(Rejection::TagInvalid)
}

fn checked_name(name: &str) -> Result<String, Rejection> {
    text::line(name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}

fn checked_category(category: Option<String>) -> Result<Option<String>, Rejection> {
    let checked = category.map(|category| text::line(&category, CATEGORY_MAX_CHARS));
    checked.transpose().map_err(Rejection::CategoryInvalid)
}

fn checked_serial(serial: Option<String>) -> Result<Option<String>, Rejection> {
    let checked = serial.map(|serial| text::line(&serial, SERIAL_MAX_CHARS));
    checked.transpose().map_err(Rejection::SerialInvalid)
}

fn checked_cost(cost: Option<Money>) -> Result<Option<Money>, Rejection> {
    cost.map(Money::checked).transpose().map_err(Rejection::CostInvalid)
}
