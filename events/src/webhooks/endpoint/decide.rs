//! The rules of an address that hears of events.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    Command, DeadLetter, DisableReason, Endpoint, Event, Redeliver, Register, Rejection, Report,
    Revise, RotateSecret, Status,
};
use crate::address::is_address;
use crate::aggregate::{Actor, ActorKind, Context, Decider};
use crate::ids::UserId;
use crate::modules::Module;
use crate::text;
use crate::webhooks::Wanted;

/// Longest address.
pub const URL_MAX_BYTES: usize = 1024;
/// Most names of events, or beginnings of such.
pub const EVENTS_MAX_COUNT: usize = 50;
/// Longest description.
pub const DESCRIPTION_MAX_CHARS: usize = 200;
/// Most endpoints of an organisation.
pub const ENDPOINTS_MAX_COUNT: usize = 100;
/// How long the secret before signs beside the next, unless told: a day.
pub const OVERLAP_MINUTES: u32 = 24 * 60;
/// Longest time that it does: a week.
pub const OVERLAP_MAX_MINUTES: u32 = 7 * 24 * 60;
/// After so long without an answer whoever answers for the endpoint is told.
pub const TOLD_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// After so long it is disabled.
pub const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What a decision on an endpoint needs to know of the installation and the organisation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// Whether endpoints may be on this machine and speak without TLS: for development only.
    pub loopback: bool,
    /// How many endpoints the organisation has.
    pub endpoints: usize,
}

impl Decider for Endpoint {
    const TYPE: &'static str = "webhooks.endpoint";
    const MODULE: Module = Module::Webhooks;
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
        match self.status {
            Status::Absent => match command {
                Command::Register(register) => begin(register, *facts, context),
                Command::Revise(_)
                | Command::RotateSecret(_)
                | Command::Disable
                | Command::Enable
                | Command::SendTest
                | Command::Redeliver(_)
                | Command::Delete
                | Command::DeadLetter(_)
                | Command::Report(_) => Err(Rejection::Unknown),
            },
            Status::Enabled | Status::Disabled(_) => self.go_on(command, *facts, context),
            Status::Deleted => match command {
                Command::Register(_) => Err(Rejection::Exists),
                // What was under way when it was deleted has nothing to say any more.
                Command::Delete | Command::DeadLetter(_) | Command::Report(_) => Ok(vec![]),
                Command::Revise(_)
                | Command::RotateSecret(_)
                | Command::Disable
                | Command::Enable
                | Command::SendTest
                | Command::Redeliver(_) => Err(Rejection::Deleted),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Endpoint {
    fn go_on(
        &self,
        command: Command,
        facts: Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let hears = self.status == Status::Enabled;
        match command {
            Command::Register(_) => Err(Rejection::Exists),
            Command::Revise(revise) => self.revise(revise, facts),
            Command::RotateSecret(rotate) => rotated(&rotate, context.now),
            Command::Disable if hears => Ok(vec![Event::Disabled { reason: DisableReason::User }]),
            Command::Enable if hears => Ok(vec![]),
            Command::Enable => Ok(vec![Event::Enabled { owned_by: owner(context)? }]),
            Command::SendTest | Command::Redeliver(_) if !hears => Err(Rejection::Disabled),
            Command::SendTest => Ok(vec![Event::TestRequested]),
            Command::Redeliver(Redeliver { delivery_id, event_id, position }) => {
                Ok(vec![Event::RedeliveryRequested { delivery_id, event_id, position }])
            }
            Command::Delete => Ok(vec![Event::Deleted]),
            Command::DeadLetter(DeadLetter { delivery_id, event_id, attempts, last_status }) => {
                let dead =
                    Event::DeliveryDeadLettered { delivery_id, event_id, attempts, last_status };
                Ok(vec![dead])
            }
            Command::Report(report) if hears => Ok(self.reported(report, context.now)),
            Command::Disable | Command::Report(_) => Ok(vec![]),
        }
    }

    fn revise(&self, revise: Revise, facts: Facts) -> Result<Vec<Event>, Rejection> {
        let url = match revise.url {
            Some(url) => address(url, facts)?,
            None => self.url.clone(),
        };
        let events = match revise.events {
            Some(events) => wishes(&events)?,
            None => self.events.clone(),
        };
        let description = match revise.description {
            Some(description) => described(description)?,
            None => self.description.clone(),
        };
        let same = (&url, &events, &description) == (&self.url, &self.events, &self.description);
        Ok(if same { vec![] } else { vec![Event::Revised { url, events, description }] })
    }

    /// Its owner is told once for each time that it stops answering.
    fn reported(&self, report: Report, now: Timestamp) -> Vec<Event> {
        let disabled = |reason| vec![Event::Disabled { reason }];
        match report {
            Report::Gone => disabled(DisableReason::Gone),
            Report::OwnerLost => disabled(DisableReason::OwnerLost),
            Report::Failing { since } => {
                let failing = now.duration_since(since);
                let told = self.announced.is_some_and(|told| since <= told);
                if failing >= DISABLED_AFTER {
                    disabled(DisableReason::Failing)
                } else if failing >= TOLD_AFTER && !told {
                    vec![Event::FailingAnnounced { since }]
                } else {
                    vec![]
                }
            }
        }
    }
}

fn begin(register: Register, facts: Facts, context: &Context) -> Result<Vec<Event>, Rejection> {
    let owned_by = owner(context)?;
    if facts.endpoints >= ENDPOINTS_MAX_COUNT {
        return Err(Rejection::TooMany);
    }
    Ok(vec![Event::Registered {
        url: address(register.url, facts)?,
        events: wishes(&register.events)?,
        description: described(register.description)?,
        owned_by,
        secret_id: register.secret_id,
    }])
}

fn rotated(rotate: &RotateSecret, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    if rotate.overlap_minutes > OVERLAP_MAX_MINUTES {
        return Err(Rejection::OverlapTooLong);
    }
    let overlap = SignedDuration::from_mins(rotate.overlap_minutes.into());
    let old_valid_until = now.checked_add(overlap).ok().filter(|until| now < *until);
    Ok(vec![Event::SecretRotated { secret_id: rotate.secret_id, old_valid_until }])
}

/// Whoever acts: events are told in somebody's name, never in nobody's.
fn owner(context: &Context) -> Result<UserId, Rejection> {
    let Actor { kind, id, on_behalf_of, .. } = &context.actor;
    let owner = match kind {
        ActorKind::User => id.parse().ok(),
        ActorKind::Service | ActorKind::System => *on_behalf_of,
    };
    owner.ok_or(Rejection::OwnerMissing)
}

fn address(url: String, facts: Facts) -> Result<String, Rejection> {
    let good = url.len() <= URL_MAX_BYTES && !url.contains('#') && is_address(&url, facts.loopback);
    if good { Ok(url) } else { Err(Rejection::UrlInvalid) }
}

fn wishes(events: &[String]) -> Result<Vec<Wanted>, Rejection> {
    if !(1..=EVENTS_MAX_COUNT).contains(&events.len()) {
        return Err(Rejection::EventsSize);
    }
    let wish = |text: &String| {
        Wanted::read(text).ok_or_else(|| Rejection::EventUnknown(text::cut(text, 100)))
    };
    let wishes: BTreeSet<Wanted> = events.iter().map(wish).collect::<Result<_, _>>()?;
    Ok(wishes.into_iter().collect())
}

fn described(description: Option<String>) -> Result<Option<String>, Rejection> {
    let checked = description.map(|text| text::line(&text, DESCRIPTION_MAX_CHARS));
    checked.transpose().map_err(Rejection::DescriptionInvalid)
}
