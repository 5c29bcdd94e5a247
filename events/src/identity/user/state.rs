//! A user as their rules see them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::{IssuerId, SecretId, SessionId};
use crate::personal::ERASED;

/// A person in one organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whether they exist and may sign in.
    pub status: Status,
    /// The name to sign in with.
    pub handle: String,
    /// The name to show.
    pub display_name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The telephone number, as E.164 has it.
    pub phone: Option<String>,
    /// Whether they have shown that they read what is sent there.
    pub email_confirmed: bool,
    /// What issuers call them, as keyed digests.
    pub identities: BTreeMap<IssuerId, String>,
    /// Language and region, a BCP 47 tag.
    pub locale: String,
    /// Time zone, an IANA name.
    pub time_zone: String,
    /// The row of `secrets` that holds the hash of the password; without one nobody signs in with a
    /// password.
    pub password: Option<SecretId>,
    /// The request for a new password that can still be met.
    pub password_reset: Option<Pending>,
    /// The e-mail address that waits to be confirmed, and the request for it.
    pub email_change: Option<(String, Pending)>,
    /// How many requests there were, each with a token of its own.
    pub requests: i64,
    /// What ended their sessions so far.
    pub ended: Ended,
    /// The failed sign-ins that still count, oldest first.
    pub failures: Vec<Timestamp>,
    /// The end of the latest lock; over once it is past.
    pub locked_until: Option<Timestamp>,
}

/// A request that whoever has its token can meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The number of the request, from which its token follows.
    pub number: i64,
    /// SHA-256 of the token.
    pub token_sha256: String,
    /// From when on it is of no use.
    pub expires_at: Timestamp,
}

/// How often all sessions of a user were ended; one that began before the last time goes on only if it was spared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How often.
    pub times: u32,
    /// The one that was spared the last time.
    pub except: Option<SessionId>,
}

/// Where a user stands in their life here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// They do not exist.
    #[default]
    Absent,
    /// They may sign in, unless locked.
    Active,
    /// They may not sign in.
    Deactivated,
    /// They are forgotten, for good.
    Erased,
}

impl User {
    /// The end of the lock, if one holds.
    pub fn locked(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| now < *until)
    }

    /// Whether a session goes on that began when so many endings had been.
    pub fn keeps(&self, session: SessionId, began_after: u32) -> bool {
        began_after == self.ended.times || self.ended.except == Some(session)
    }

    fn pending(&mut self, token_sha256: &str, expires_at: Timestamp) -> Pending {
        self.requests += 1;
        Pending { number: self.requests, token_sha256: token_sha256.to_owned(), expires_at }
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered { handle, display_name, email, locale, time_zone } => {
                *self = Self {
                    status: Status::Active,
                    handle: handle.clone(),
                    display_name: display_name.clone(),
                    email: email.clone(),
                    locale: locale.clone(),
                    time_zone: time_zone.clone(),
                    ..Self::default()
                };
            }
            Event::Renamed { display_name } => self.display_name.clone_from(display_name),
            Event::Relocated { locale, time_zone } => {
                self.locale.clone_from(locale);
                self.time_zone.clone_from(time_zone);
            }
            Event::EmailReplaced { email, .. } => {
                self.email.clone_from(email);
                self.email_confirmed = false;
                // What was sent to the address before is of no use any more.
                (self.password_reset, self.email_change) = (None, None);
            }
            Event::HandleReplaced { handle, .. } => self.handle.clone_from(handle),
            Event::PhoneReplaced { phone } => self.phone.clone_from(phone),
            Event::PasswordReplaced { secret_id } => {
                self.password = Some(*secret_id);
                self.password_reset = None;
            }
            Event::PasswordResetRequested { token_sha256, expires_at } => {
                self.password_reset = Some(self.pending(token_sha256, *expires_at));
            }
            Event::EmailChangeRequested { email, token_sha256, expires_at } => {
                self.email_change = Some((email.clone(), self.pending(token_sha256, *expires_at)));
            }
            Event::EmailConfirmed => self.email_confirmed = true,
            Event::IdentityLinked { issuer_id, subject_sha256 } => {
                self.identities.insert(*issuer_id, subject_sha256.clone());
            }
            Event::IdentityUnlinked { issuer_id, .. } => {
                self.identities.remove(issuer_id);
            }
            Event::SessionsEnded { except, .. } => {
                self.ended = Ended { times: self.ended.times + 1, except: *except };
            }
            Event::LoginFailed { count, failed_at, .. } => {
                self.failures.push(*failed_at);
                let still_counting = usize::try_from(*count).unwrap_or(usize::MAX);
                let over = self.failures.len().saturating_sub(still_counting);
                self.failures.drain(..over);
            }
            Event::Locked { until } => {
                self.locked_until = Some(*until);
                self.failures.clear();
            }
            Event::LoginFailuresCleared => self.failures.clear(),
            Event::Unlocked => {
                self.locked_until = None;
                self.failures.clear();
            }
            Event::Deactivated { .. } => self.status = Status::Deactivated,
            Event::Reactivated => self.status = Status::Active,
            Event::Erased { .. } => self.forget(),
        }
    }

    fn forget(&mut self) {
        *self = Self {
            status: Status::Erased,
            handle: ERASED.into(),
            display_name: ERASED.into(),
            locale: std::mem::take(&mut self.locale),
            time_zone: std::mem::take(&mut self.time_zone),
            ..Self::default()
        };
    }
}
