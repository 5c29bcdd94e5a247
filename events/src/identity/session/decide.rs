//! The rules of a session.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::{Command, Event, Exchanged, Refresh, RevocationReason, Revoke, Session, Start, Status};
use crate::aggregate::{Class, Context, Decider};
use crate::identity::issuer::Issuer;
use crate::identity::user::{self, User};
use crate::ids::SessionId;
use crate::modules::Module;
use crate::text;

/// Longest time to the end of a session, without a refresh.
pub const LIFETIME_MAX_DAYS: i64 = 90;
/// Most methods by which a user proves who they are.
pub const AMR_MAX_METHODS: usize = 8;
/// Longest name of such a method.
pub const AMR_MAX_CHARS: usize = 32;
/// How much of the name of a program is kept.
pub const USER_AGENT_MAX_CHARS: usize = 512;

/// What a decision on a session needs to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The session.
    pub session_id: SessionId,
    /// Whose it is.
    pub user: Arc<User>,
    /// What says whether the caller could take over the account whose it is, where they would end it.
    pub reach: user::Facts,
    /// The issuer whose word it rests on, where it does on one's.
    pub issuer: Arc<Issuer>,
    /// After how many hours without use it ends, where the organisation says so.
    pub idle_hours: Option<i64>,
}

impl Facts {
    /// The end that was asked for, or the one that comes earlier when nobody uses the session until then.
    fn end(&self, asked: Timestamp, now: Timestamp) -> Timestamp {
        let idle = self.idle_hours.map(|hours| now + SignedDuration::from_hours(hours));
        idle.map_or(asked, |idle| idle.min(asked))
    }
}

/// Why a session refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "SESSION_")]
pub enum Rejection {
    /// There is no such session.
    #[error("there is no such session: sign in")]
    Unknown,
    /// The session exists already.
    #[error("the session exists already: start another")]
    Exists,
    /// The session was ended.
    #[error("the session was ended: sign in again")]
    Revoked,
    /// The session is over.
    #[error("the session expired: sign in again")]
    Expired,
    /// The refresh token was never one of the session.
    #[error("refresh_token is not of this session: sign in again")]
    TokenUnknown,
    /// The session is of somebody with roles that the caller may not give.
    #[error("the session is of a user with roles that you may not give: ask somebody who may")]
    OutOfReach,
    /// A digest is not one.
    #[error(
        "the digest of a refresh token must be 64 lower-case hexadecimal digits: send a SHA-256"
    )]
    DigestInvalid,
    /// The next token is one that was used.
    #[error("the next refresh token was used before: make a random one")]
    TokenRepeated,
    /// The end of the session is past or too far off.
    #[error(
        "expires_at must be within the next {LIFETIME_MAX_DAYS} days: choose an earlier moment"
    )]
    ExpiryInvalid,
    /// The methods of proof are not named as they should be.
    #[error(
        "amr must be 1 to {AMR_MAX_METHODS} short names of RFC 8176: name at least one, like pwd"
    )]
    AmrInvalid,
    /// The issuer that the session rests on is not trusted.
    #[error("the issuer of the token is not trusted now: sign in otherwise")]
    IssuerNotTrusted,
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
            Self::Exists => Class::Conflict,
            Self::OutOfReach => Class::Forbidden,
            Self::Revoked | Self::Expired | Self::TokenUnknown | Self::IssuerNotTrusted => {
                Class::Unauthenticated
            }
            Self::DigestInvalid | Self::TokenRepeated | Self::ExpiryInvalid | Self::AmrInvalid => {
                Class::Invalid
            }
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::TokenUnknown => Some("/refresh_token"),
            Self::ExpiryInvalid => Some("/expires_at"),
            Self::AmrInvalid => Some("/amr"),
            Self::Unknown
            | Self::Exists
            | Self::OutOfReach
            | Self::Revoked
            | Self::Expired
            | Self::DigestInvalid
            | Self::TokenRepeated
            | Self::IssuerNotTrusted => None,
        }
    }
}

impl Decider for Session {
    const TYPE: &'static str = "identity.session";
    const MODULE: Module = Module::Identity;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    const SHAPE: i64 = 3;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Start(start) => self.start(start, facts, context.now),
            Command::Refresh(refresh) => self.refresh(refresh, facts, context.now),
            Command::Revoke(Revoke { reason }) => match self.status {
                Status::Absent => Err(Rejection::Unknown),
                Status::Open => {
                    facts.reach.in_reach(context).map_err(|_| Rejection::OutOfReach)?;
                    Ok(vec![Event::Revoked { reason: self.told(reason, context) }])
                }
                Status::Revoked(_) => Ok(vec![]),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Session {
    /// Whether what the session allows may still be done.
    pub fn alive(&self, now: Timestamp) -> Result<(), Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Revoked(_) => Err(Rejection::Revoked),
            Status::Open if self.expires_at <= now => Err(Rejection::Expired),
            Status::Open => Ok(()),
        }
    }

    /// Whoever ends a session of their own signs out there.
    fn told(&self, reason: RevocationReason, context: &Context) -> RevocationReason {
        let own = reason == RevocationReason::Admin && context.actor.acts_as(self.user_id);
        if own { RevocationReason::Logout } else { reason }
    }

    fn start(&self, start: Start, facts: &Facts, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => {}
            Status::Open | Status::Revoked(_) => return Err(Rejection::Exists),
        }
        let named = |method: &String| text::is_identifier(method, AMR_MAX_CHARS);
        if !(1..=AMR_MAX_METHODS).contains(&start.amr.len()) || !start.amr.iter().all(named) {
            return Err(Rejection::AmrInvalid);
        }
        digest(&start.refresh_sha256)?;
        if let Some(Exchanged { token_sha256, .. }) = &start.exchanged {
            digest(token_sha256)?;
            if !facts.issuer.is_trusted() {
                return Err(Rejection::IssuerNotTrusted);
            }
        }
        let (issuer_id, token_sha256) =
            start.exchanged.map(|it| (it.issuer_id, it.token_sha256)).unzip();
        Ok(vec![Event::Started {
            user_id: start.user_id,
            refresh_sha256: start.refresh_sha256,
            expires_at: facts.end(expiry(start.expires_at, now)?, now),
            amr: start.amr,
            ip: start.ip.map(|ip| ip.to_string()),
            user_agent: start.user_agent.as_deref().and_then(program),
            began_after: facts.user.ended.times,
            issuer_id,
            issuer_endings: issuer_id.map_or(0, |_| facts.issuer.endings),
            token_sha256,
        }])
    }

    fn refresh(
        &self,
        refresh: Refresh,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let presented = digest(&refresh.presented_sha256)?;
        let next = digest(&refresh.next_sha256)?;
        let expires_at = facts.end(expiry(refresh.expires_at, now)?, now);
        self.alive(now)?;
        let kept_by_issuer = self.issuer.is_none_or(|(_, after)| facts.issuer.keeps(after));
        if !facts.user.keeps(facts.session_id, self.began_after) || !kept_by_issuer {
            return Err(Rejection::Revoked);
        }
        let is = |stored: &String, digest: &[u8; 32]| {
            text::sha256(stored).is_some_and(|stored| bool::from(stored.ct_eq(digest)))
        };
        // Every stored digest is looked at, so that the time taken does not tell which one matched.
        let spent = |digest: &[u8; 32]| {
            self.spent_sha256.iter().filter(|stored| is(stored, digest)).count() > 0
        };
        if spent(&presented) {
            return Ok(vec![
                Event::RefreshReuseDetected { rotation: self.rotation },
                Event::Revoked { reason: RevocationReason::Reuse },
            ]);
        }
        if !is(&self.refresh_sha256, &presented) {
            return Err(Rejection::TokenUnknown);
        }
        if spent(&next) || is(&self.refresh_sha256, &next) {
            return Err(Rejection::TokenRepeated);
        }
        Ok(vec![Event::Refreshed {
            rotation: self.rotation.saturating_add(1),
            refresh_sha256: refresh.next_sha256,
            expires_at,
        }])
    }
}

fn program(name: &str) -> Option<String> {
    Some(text::cut(name, USER_AGENT_MAX_CHARS)).filter(|name| !name.is_empty())
}

fn digest(text: &str) -> Result<[u8; 32], Rejection> {
    text::sha256(text).ok_or(Rejection::DigestInvalid)
}

fn expiry(at: Timestamp, now: Timestamp) -> Result<Timestamp, Rejection> {
    let longest = SignedDuration::from_hours(24 * LIFETIME_MAX_DAYS);
    let valid = now < at && at.duration_since(now) <= longest;
    if valid { Ok(at) } else { Err(Rejection::ExpiryInvalid) }
}
