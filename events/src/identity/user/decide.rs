//! The rules of a user.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::credentials::{Facts, ended, in_person};
use super::profile::{display_name, email, handle, locale, time_zone};
use super::{Command, Deactivate, Erase, Event, Register, Status, User};
use crate::aggregate::{ActorKind, Class, Context, Decider};
use crate::identity::session::RevocationReason;
use crate::modules::Module;
use crate::text::{self, Fault};

/// Longest reason of a deactivation.
pub const REASON_MAX_CHARS: usize = 500;
/// Failed sign-ins that lock a user.
pub const FAILURES_MAX_COUNT: usize = 10;
/// How long a failed sign-in counts.
pub const FAILURES_WINDOW_MINUTES: i64 = 15;
/// How long a lock holds.
pub const LOCK_MINUTES: i64 = 15;
/// Most issuers that can vouch for a user.
pub const IDENTITIES_MAX_COUNT: usize = 8;

/// Why a user refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "USER_")]
pub enum Rejection {
    /// There is no such user.
    #[error("there is no such user: register them first")]
    Unknown,
    /// The user exists already.
    #[error("the user exists already: change them, or register another")]
    Exists,
    /// The user may not sign in or be changed.
    #[error("the user is deactivated: reactivate them first")]
    Deactivated,
    /// The user may not sign in for now.
    #[error("the user is locked until {0}: wait, or have them unlocked")]
    Locked(Timestamp),
    /// The handle cannot be used.
    #[error("handle {0}")]
    HandleInvalid(Fault),
    /// The handle has spaces or invisible characters.
    #[error("handle holds a space or an invisible character: remove it")]
    HandleNotPrintable,
    /// The name to show cannot be used.
    #[error("display_name {0}")]
    DisplayNameInvalid(Fault),
    /// The telephone number is not one.
    #[error("phone is not an E.164 number: write it like +41446681800")]
    PhoneInvalid,
    /// The e-mail address is not one.
    #[error("email is not an address: write it like anna@example.org")]
    EmailInvalid,
    /// The locale is not a language tag.
    #[error("locale is not a BCP 47 tag: write it like de-CH")]
    LocaleInvalid,
    /// The time zone is not known.
    #[error("time_zone is not an IANA name: write it like Europe/Berlin")]
    TimeZoneUnknown,
    /// The reason cannot be used.
    #[error("reason {0}")]
    ReasonInvalid(Fault),
    /// The account has roles that the caller may not give, so it is not theirs to take over or to close.
    #[error("the user has roles that you may not give: ask somebody who may give them")]
    OutOfReach,
    /// What a user proves themselves by is changed by people.
    #[error("an API key cannot change what a user signs in with: sign in yourself")]
    ByKey,
    /// Nobody would be left to administer the organisation.
    #[error("the user is the last active administrator: make somebody else one first")]
    LastAdministrator,
    /// The token is not one that was sent last.
    #[error("token is not of a request that is open: use the one that came last, or ask again")]
    TokenUnknown,
    /// The token is too old.
    #[error("the token expired: ask for another")]
    TokenExpired,
    /// There was a request a moment ago.
    #[error("an e-mail was sent less than a minute ago: wait for it, or ask again later")]
    RequestedJustNow,
    /// Nothing is known of the user any more.
    #[error("the user was erased, for good: register another")]
    Erased,
    /// The user may still sign in.
    #[error("the user is active: deactivate them first")]
    Active,
    /// Nobody erases themselves.
    #[error("you cannot erase yourself: have somebody else do it")]
    ErasesSelf,
    /// The e-mail address alone does not say that it is this user.
    #[error(
        "the e-mail address of the user is not confirmed: have the user confirm it, or link the identity"
    )]
    EmailUnconfirmed,
    /// The issuer calls the user something else.
    #[error("the user has another identity at this issuer: unlink that one first")]
    IdentityDiffers,
    /// The user has too many identities.
    #[error("the user has {IDENTITIES_MAX_COUNT} identities: unlink one first")]
    IdentitiesTooMany,
    /// The user has no identity there.
    #[error("the user has no identity at this issuer: there is nothing to unlink")]
    IdentityUnknown,
    /// Another user's handle was repeated.
    #[error("handle is not that of the user: repeat theirs to confirm that they are to be erased")]
    ConfirmationWrong,
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
            Self::Unknown | Self::TokenUnknown | Self::IdentityUnknown => Class::Absent,
            Self::Exists
            | Self::Deactivated
            | Self::Erased
            | Self::Active
            | Self::LastAdministrator
            | Self::TokenExpired
            | Self::EmailUnconfirmed
            | Self::IdentityDiffers
            | Self::IdentitiesTooMany
            | Self::RequestedJustNow => Class::Conflict,
            Self::Locked(_) | Self::OutOfReach | Self::ByKey | Self::ErasesSelf => Class::Forbidden,
            Self::HandleInvalid(_)
            | Self::HandleNotPrintable
            | Self::DisplayNameInvalid(_)
            | Self::PhoneInvalid
            | Self::EmailInvalid
            | Self::LocaleInvalid
            | Self::TimeZoneUnknown
            | Self::ReasonInvalid(_)
            | Self::ConfirmationWrong => Class::Invalid,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::HandleInvalid(_) | Self::HandleNotPrintable | Self::ConfirmationWrong => {
                Some("/handle")
            }
            Self::DisplayNameInvalid(_) => Some("/display_name"),
            Self::PhoneInvalid => Some("/phone"),
            Self::EmailInvalid => Some("/email"),
            Self::LocaleInvalid => Some("/locale"),
            Self::TimeZoneUnknown => Some("/time_zone"),
            Self::ReasonInvalid(_) => Some("/reason"),
            Self::TokenUnknown | Self::TokenExpired => Some("/token"),
            Self::Unknown
            | Self::Exists
            | Self::Deactivated
            | Self::Locked(_)
            | Self::OutOfReach
            | Self::ByKey
            | Self::LastAdministrator
            | Self::RequestedJustNow
            | Self::Erased
            | Self::Active
            | Self::EmailUnconfirmed
            | Self::IdentityDiffers
            | Self::IdentitiesTooMany
            | Self::IdentityUnknown
            | Self::ErasesSelf => None,
        }
    }
}

impl Decider for User {
    const TYPE: &'static str = "identity.user";
    const MODULE: Module = Module::Identity;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    const SHAPE: i64 = 4;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => match command {
                Command::Register(register) => register_user(&register),
                Command::Rename(_)
                | Command::Relocate(_)
                | Command::ChangeEmail(_)
                | Command::ChangeHandle(_)
                | Command::ChangePhone(_)
                | Command::SetPassword(_)
                | Command::RequestPasswordReset
                | Command::ResetPassword(_)
                | Command::RequestEmailChange(_)
                | Command::ConfirmEmailChange(_)
                | Command::LinkIdentity(_)
                | Command::UnlinkIdentity(_)
                | Command::EndSessions
                | Command::RecordLoginFailure(_)
                | Command::RecordLogin
                | Command::Unlock
                | Command::Deactivate(_)
                | Command::Reactivate
                | Command::Erase(_) => Err(Rejection::Unknown),
            },
            Status::Active => self.decide_active(command, facts, context),
            Status::Deactivated => self.decide_deactivated(command, facts, context),
            Status::Erased => match command {
                Command::Erase(_)
                | Command::Deactivate(_)
                | Command::RecordLoginFailure(_)
                | Command::RequestPasswordReset
                | Command::EndSessions => Ok(vec![]),
                Command::Register(_)
                | Command::Rename(_)
                | Command::Relocate(_)
                | Command::ChangeEmail(_)
                | Command::ChangeHandle(_)
                | Command::ChangePhone(_)
                | Command::SetPassword(_)
                | Command::ResetPassword(_)
                | Command::RequestEmailChange(_)
                | Command::ConfirmEmailChange(_)
                | Command::LinkIdentity(_)
                | Command::UnlinkIdentity(_)
                | Command::RecordLogin
                | Command::Unlock
                | Command::Reactivate => Err(Rejection::Erased),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl User {
    fn decide_deactivated(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Register(_) => Err(Rejection::Exists),
            Command::Reactivate => {
                facts.in_reach(context)?;
                Ok(vec![Event::Reactivated])
            }
            Command::Erase(erase) => self.erase(&erase, context),
            Command::Deactivate(_)
            | Command::RecordLoginFailure(_)
            | Command::RequestPasswordReset
            | Command::EndSessions => Ok(vec![]),
            Command::Rename(_)
            | Command::Relocate(_)
            | Command::ChangeEmail(_)
            | Command::ChangeHandle(_)
            | Command::ChangePhone(_)
            | Command::SetPassword(_)
            | Command::ResetPassword(_)
            | Command::RequestEmailChange(_)
            | Command::ConfirmEmailChange(_)
            | Command::LinkIdentity(_)
            | Command::UnlinkIdentity(_)
            | Command::RecordLogin
            | Command::Unlock => Err(Rejection::Deactivated),
        }
    }

    /// Whether the user may sign in or go on with a session now.
    pub fn may_sign_in(&self, now: Timestamp) -> Result<(), Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Deactivated => Err(Rejection::Deactivated),
            Status::Erased => Err(Rejection::Erased),
            Status::Active => {
                self.locked(now).map_or(Ok(()), |until| Err(Rejection::Locked(until)))
            }
        }
    }

    fn decide_active(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        let now = context.now;
        match command {
            Command::Register(_) => Err(Rejection::Exists),
            Command::Rename(rename) => self.rename(&rename),
            Command::Relocate(to) => self.relocate(&to),
            Command::ChangeEmail(change) => {
                in_person(context)?;
                facts.in_reach(context)?;
                self.change_email(&change)
            }
            Command::ChangeHandle(change) => {
                in_person(context)?;
                facts.in_reach(context)?;
                self.change_handle(&change)
            }
            Command::ChangePhone(change) => self.change_phone(&change),
            Command::SetPassword(set) => self.set_password(&set, facts, context),
            Command::RequestPasswordReset => Ok(self.request_reset(facts, now)),
            Command::ResetPassword(reset) => self.reset_password(&reset, now),
            Command::RequestEmailChange(wanted) => {
                in_person(context)?;
                self.request_email(&wanted, facts, now)
            }
            Command::ConfirmEmailChange(confirm) => self.confirm_email(&confirm, now),
            Command::LinkIdentity(link) => self.link(&link, facts, context),
            Command::UnlinkIdentity(unlink) => self.unlink(&unlink, facts, context),
            Command::EndSessions => Ok(vec![ended(RevocationReason::Logout, None)]),
            Command::RecordLoginFailure(failure) => Ok(self.login_failed(failure.ip, now)),
            Command::RecordLogin => {
                self.may_sign_in(now)?;
                let clean = self.failures.is_empty();
                Ok(if clean { vec![] } else { vec![Event::LoginFailuresCleared] })
            }
            Command::Unlock => {
                facts.in_reach(context)?;
                let free = self.locked(now).is_none() && self.failures.is_empty();
                Ok(if free { vec![] } else { vec![Event::Unlocked] })
            }
            Command::Deactivate(deactivate) => {
                facts.in_reach(context)?;
                deactivate_user(&deactivate, facts)
            }
            Command::Reactivate => Ok(vec![]),
            Command::Erase(erase) => self.erase(&erase, context),
        }
    }

    /// A service carries out again what was decided before the log was restored, wherever the user stood then.
    fn erase(&self, erase: &Erase, context: &Context) -> Result<Vec<Event>, Rejection> {
        if context.actor.kind != ActorKind::Service {
            if context.actor.user() == Some(erase.user_id) {
                return Err(Rejection::ErasesSelf);
            }
            if self.status == Status::Active {
                return Err(Rejection::Active);
            }
            if erase.handle.as_ref() != Some(&self.handle) {
                return Err(Rejection::ConfirmationWrong);
            }
        }
        let erased = Event::Erased { handle: self.handle.clone(), email: self.email.clone() };
        Ok(self.identities.keys().filter_map(|id| self.unlinked(*id)).chain([erased]).collect())
    }

    /// While a lock holds nothing more is written, so that guessing cannot fill the log.
    fn login_failed(&self, ip: Option<IpAddr>, now: Timestamp) -> Vec<Event> {
        if self.locked(now).is_some() {
            return vec![];
        }
        let window = SignedDuration::from_mins(FAILURES_WINDOW_MINUTES);
        let counting = |at: &&Timestamp| now.duration_since(**at) < window;
        let count = self.failures.iter().filter(counting).count() + 1;
        let failed = Event::LoginFailed {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            failed_at: now,
            ip: ip.map(|ip| ip.to_string()),
        };
        if count < FAILURES_MAX_COUNT {
            return vec![failed];
        }
        let until = now.checked_add(SignedDuration::from_mins(LOCK_MINUTES));
        vec![failed, Event::Locked { until: until.unwrap_or(Timestamp::MAX) }]
    }
}

fn register_user(register: &Register) -> Result<Vec<Event>, Rejection> {
    Ok(vec![Event::Registered {
        handle: handle(&register.handle)?,
        display_name: display_name(&register.display_name)?,
        email: register.email.as_deref().map(email).transpose()?,
        locale: locale(&register.locale)?,
        time_zone: time_zone(&register.time_zone)?,
    }])
}

fn deactivate_user(deactivate: &Deactivate, facts: &Facts) -> Result<Vec<Event>, Rejection> {
    let reason = text::lines(&deactivate.reason, REASON_MAX_CHARS);
    let reason = reason.map_err(Rejection::ReasonInvalid)?;
    if facts.is_last_administrator() {
        return Err(Rejection::LastAdministrator);
    }
    Ok(vec![Event::Deactivated { reason }, ended(RevocationReason::Deactivated, None)])
}
