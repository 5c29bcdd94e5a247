//! The rules of an API key.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{ApiKey, Command, Create, Event, Rename, Revoke, Rotate, Status};
use crate::aggregate::{Class, Context, Decider};
use crate::identity::user;
use crate::ids::UnitId;
use crate::modules::Module;
use crate::notice::{NOTICE_DAYS, Notice};
use crate::rbac::giving::Giver;
use crate::rbac::name::{self, Form};
use crate::text::{self, Fault};

/// Longest life of a key without a rotation.
pub const LIFETIME_MAX_DAYS: i64 = 366;
/// Longest time that a secret goes on beside the next.
pub const OVERLAP_MAX_MINUTES: u32 = 24 * 60;
/// Longest name.
pub const NAME_MAX_CHARS: usize = 100;
/// Most names and patterns of a scope.
pub const SCOPE_MAX_COUNT: usize = 100;

/// What a decision on an API key needs to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The owner, and what says whether the caller could take over their account.
    pub owner: user::Facts,
    /// Whether the owner may sign in.
    pub owner_is_active: bool,
}

/// Why an API key refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "API_KEY_")]
pub enum Rejection {
    /// There is no such key.
    #[error("there is no such API key: make one")]
    Unknown,
    /// The key exists already.
    #[error("the API key exists already: rotate it, or make another")]
    Exists,
    /// The key was ended for good.
    #[error("the API key was revoked: make another")]
    Revoked,
    /// The key is over.
    #[error("the API key expired: rotate it, or make another")]
    Expired,
    /// The key does not end soon.
    #[error("the API key ends in more than {NOTICE_DAYS} days: announce its end later")]
    EndsLater,
    /// The secret is not the key's any more.
    #[error("the API key has another secret since: use that one")]
    RotatedAway,
    /// A key cannot make keys.
    #[error("an API key cannot make or change API keys: sign in yourself")]
    ByKey,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The scope holds nothing, or too much.
    #[error("scope must name 1 to {SCOPE_MAX_COUNT} permissions: name what the program needs")]
    ScopeSize,
    /// Something in the scope is neither a permission nor a pattern.
    #[error("scope holds {0}, which is no permission: write names like identity.users:read")]
    ScopeUnknown(String),
    /// The scope goes beyond what the caller may do.
    #[error("scope holds {0}, which you may not do yourself: leave it out")]
    ScopeExceeds(String),
    /// The end of the key is past or too far off.
    #[error(
        "expires_at must be within the next {LIFETIME_MAX_DAYS} days: choose an earlier moment"
    )]
    ExpiryInvalid,
    /// The secret before would be good for too long.
    #[error("overlap_minutes is more than {OVERLAP_MAX_MINUTES}: let programs change over sooner")]
    OverlapTooLong,
    /// A digest is not one.
    #[error("the digest of a secret must be 64 lower-case hexadecimal digits: send a SHA-256")]
    DigestInvalid,
    /// The next secret is one that was used.
    #[error("the next secret was used before: make a random one")]
    SecretRepeated,
    /// In whose name the key would act does not exist or may not sign in.
    #[error("the owner is not an active user: name one who is")]
    OwnerInactive,
    /// The owner has roles that the caller may not give.
    #[error("the owner has roles that you may not give: have them make the API key themselves")]
    OwnerOutOfReach,
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
            Self::Unknown => Class::Absent,
            Self::Exists | Self::Revoked | Self::Expired | Self::EndsLater => Class::Conflict,
            Self::RotatedAway => Class::Unauthenticated,
            Self::ByKey | Self::ScopeExceeds(_) | Self::OwnerOutOfReach => Class::Forbidden,
            Self::NameInvalid(_)
            | Self::ScopeSize
            | Self::ScopeUnknown(_)
            | Self::ExpiryInvalid
            | Self::OverlapTooLong
            | Self::DigestInvalid
            | Self::SecretRepeated
            | Self::OwnerInactive => Class::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::ScopeSize | Self::ScopeUnknown(_) | Self::ScopeExceeds(_) => Some("/scope"),
            Self::ExpiryInvalid => Some("/expires_at"),
            Self::OverlapTooLong => Some("/overlap_minutes"),
            Self::OwnerInactive | Self::OwnerOutOfReach => Some("/user_id"),
            Self::Unknown
            | Self::Exists
            | Self::Revoked
            | Self::Expired
            | Self::EndsLater
            | Self::RotatedAway
            | Self::ByKey
            | Self::DigestInvalid
            | Self::SecretRepeated => None,
        }
    }
}

impl Decider for ApiKey {
    const TYPE: &'static str = "identity.api_key";
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
        if context.actor.api_key_id.is_some() {
            return Err(Rejection::ByKey);
        }
        match (self.status, command) {
            (Status::Absent, Command::Create(create)) => new(&create, facts, context),
            (Status::Open | Status::Revoked(_), Command::Create(_)) => Err(Rejection::Exists),
            (
                Status::Absent,
                Command::Rename(_) | Command::Rotate(_) | Command::Revoke(_) | Command::AnnounceEnd,
            ) => Err(Rejection::Unknown),
            (Status::Open, Command::Rename(rename)) => self.rename(&rename),
            (Status::Open, Command::Rotate(rotate)) => self.rotate(&rotate, facts, context),
            (Status::Open, Command::Revoke(Revoke { reason })) => {
                Ok(vec![Event::Revoked { reason }])
            }
            (Status::Revoked(_), Command::Rename(_) | Command::Rotate(_)) => {
                Err(Rejection::Revoked)
            }
            (Status::Open, Command::AnnounceEnd) => self.announce(context.now),
            (Status::Revoked(_), Command::Revoke(_) | Command::AnnounceEnd) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl ApiKey {
    fn rename(&self, rename: &Rename) -> Result<Vec<Event>, Rejection> {
        let name = name(&rename.name)?;
        Ok(if name == self.name { vec![] } else { vec![Event::Renamed { name }] })
    }

    /// Once for each end; timers come again, and of what is over nobody is told.
    fn announce(&self, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match Notice::of(Some(self.expires_at), now) {
            Notice::Due(_) if self.announced => Ok(vec![]),
            Notice::Due(expires_at) => Ok(vec![Event::EndAnnounced { expires_at }]),
            Notice::Later => Err(Rejection::EndsLater),
            Notice::Never => Ok(vec![]),
        }
    }

    /// Whoever has the next secret acts as the owner, so it is shown to whom a new key could be.
    fn rotate(
        &self,
        rotate: &Rotate,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        facts.may_act_as_owner(context)?;
        let now = context.now;
        let secret_sha256 = digest(&rotate.secret_sha256)?;
        if self.rotation_of(&secret_sha256).is_some() {
            return Err(Rejection::SecretRepeated);
        }
        if rotate.overlap_minutes > OVERLAP_MAX_MINUTES {
            return Err(Rejection::OverlapTooLong);
        }
        let expires_at = expiry(rotate.expires_at.unwrap_or(self.expires_at), now)?;
        let overlap = SignedDuration::from_mins(rotate.overlap_minutes.into());
        // An expired secret does not come back with a later end of the key.
        let overlap_ends_at = now.checked_add(overlap).ok();
        let overlap_ends_at = overlap_ends_at.map(|end| end.min(self.expires_at));
        let overlap_ends_at = overlap_ends_at.filter(|end| now < *end);
        Ok(vec![Event::Rotated { secret_sha256, expires_at, overlap_ends_at }])
    }
}

impl Facts {
    /// Whether the caller may have what acts in the owner's name: they are the owner, or could take over the account.
    fn may_act_as_owner(&self, context: &Context) -> Result<(), Rejection> {
        self.owner.in_reach(context).map_err(|_| Rejection::OwnerOutOfReach)?;
        if self.owner_is_active { Ok(()) } else { Err(Rejection::OwnerInactive) }
    }

    /// The places where the caller may use for their own key what they hold; for somebody else's, what they hold everywhere.
    fn places(&self, context: &Context) -> Vec<Vec<UnitId>> {
        let mut places = vec![Vec::new()];
        if context.actor.acts_as(self.owner.user_id) {
            let granted = self.owner.policy.protected_grants(self.owner.user_id);
            let held = granted.iter().chain(self.owner.caller_access.assignments());
            let units: BTreeSet<UnitId> = held.filter_map(|held| held.unit_id).collect();
            places.extend(units.into_iter().map(|unit| self.owner.organization.path(unit)));
        }
        places
    }

    fn scope(&self, grants: &[String], context: &Context) -> Result<Vec<String>, Rejection> {
        let grants: BTreeSet<&str> = grants.iter().map(|grant| grant.trim()).collect();
        if !(1..=SCOPE_MAX_COUNT).contains(&grants.len()) {
            return Err(Rejection::ScopeSize);
        }
        let (policy, access) = (&*self.owner.policy, &*self.owner.caller_access);
        let giver = Giver { context, policy, access };
        let places = self.places(context);
        for grant in &grants {
            let known = match name::form(grant) {
                Some(Form::Pattern) => true,
                Some(Form::Exact) => policy.knows(grant),
                None => false,
            };
            if !known {
                return Err(Rejection::ScopeUnknown((*grant).to_owned()));
            }
            if !places.iter().any(|path| giver.holds(grant, path)) {
                return Err(Rejection::ScopeExceeds((*grant).to_owned()));
            }
        }
        Ok(grants.into_iter().map(str::to_owned).collect())
    }
}

fn new(create: &Create, facts: &Facts, context: &Context) -> Result<Vec<Event>, Rejection> {
    facts.may_act_as_owner(context)?;
    Ok(vec![Event::Created {
        owner_id: create.owner_id,
        name: name(&create.name)?,
        scope: facts.scope(&create.scope, context)?,
        secret_sha256: digest(&create.secret_sha256)?,
        expires_at: expiry(create.expires_at, context.now)?,
    }])
}

fn name(text: &str) -> Result<String, Rejection> {
    text::line(text, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}

fn digest(text: &str) -> Result<String, Rejection> {
    text::sha256(text).map(|_| text.to_owned()).ok_or(Rejection::DigestInvalid)
}

fn expiry(at: Timestamp, now: Timestamp) -> Result<Timestamp, Rejection> {
    let longest = SignedDuration::from_hours(24 * LIFETIME_MAX_DAYS);
    let valid = now < at && at.duration_since(now) <= longest;
    if valid { Ok(at) } else { Err(Rejection::ExpiryInvalid) }
}
