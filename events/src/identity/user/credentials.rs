//! The rules of what a user proves themselves by: password, e-mail address, sessions; and of who may change those.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::profile::email;
use super::{
    ConfirmEmailChange, Event, IDENTITIES_MAX_COUNT, LinkIdentity, Pending, Rejection,
    RequestEmailChange, ResetPassword, SetPassword, UnlinkIdentity, User,
};
use crate::aggregate::{ActorKind, Context};
use crate::identity::organization::Organization;
use crate::identity::session::RevocationReason;
use crate::ids::{IssuerId, SessionId, UserId};
use crate::rbac::giving::Giver;
use crate::rbac::policy::Policy;
use crate::rbac::user_access::UserAccess;
use crate::text;

/// How long a token sent by e-mail is good.
pub const TOKEN_MINUTES: i64 = 30;
/// Between two such e-mails of one kind.
pub const REQUEST_PAUSE_MINUTES: i64 = 1;

/// What a decision on a user needs to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The user.
    pub user_id: UserId,
    /// The organisation's policy.
    pub policy: Arc<Policy>,
    /// The organisation, where a role counts in one of its units.
    pub organization: Arc<Organization>,
    /// The roles of the user.
    pub access: Arc<UserAccess>,
    /// The roles of the caller.
    pub caller_access: Arc<UserAccess>,
    /// Whether another administrator of the organisation may sign in.
    pub another_administrator: bool,
    /// SHA-256 of the token that the next request is met by.
    pub next_sha256: String,
}

impl Facts {
    /// Whether the caller may take over the account, as whoever sets its password or its address can, or close it to whom it
    /// belongs: it is theirs, or they may give every role that it has.
    pub(in crate::identity) fn in_reach(&self, context: &Context) -> Result<(), Rejection> {
        let is_own = context.actor.acts_as(self.user_id);
        if is_own || context.actor.kind == ActorKind::System {
            return Ok(());
        }
        let giver = Giver { context, policy: &self.policy, access: &self.caller_access };
        let granted = self.policy.protected_grants(self.user_id).iter();
        let mut held = granted.chain(self.access.assignments());
        let reached = held.all(|held| {
            let path = held.unit_id.map(|unit| self.organization.path(unit)).unwrap_or_default();
            !held.is_live(context.now) || giver.may_give_any(held.role_id, &path)
        });
        if reached { Ok(()) } else { Err(Rejection::OutOfReach) }
    }

    /// Whether nobody else could administer the organisation.
    pub(super) fn is_last_administrator(&self) -> bool {
        let is_one = self.policy.administrators().any(|user| user == self.user_id);
        is_one && !self.another_administrator
    }
}

/// Whether the caller has signed in, and is no program with a key.
pub(super) fn in_person(context: &Context) -> Result<(), Rejection> {
    match context.actor.api_key_id {
        Some(_) => Err(Rejection::ByKey),
        None => Ok(()),
    }
}

/// The end of a user's sessions.
pub(super) fn ended(reason: RevocationReason, except: Option<SessionId>) -> Event {
    Event::SessionsEnded { reason, except }
}

impl Pending {
    /// Whether this is the digest of its token.
    pub fn is_of(&self, presented_sha256: &str) -> bool {
        text::is_same_sha256(&self.token_sha256, presented_sha256)
    }

    /// Whether it can be met by whoever presents this token now.
    pub fn check(&self, presented_sha256: &str, now: Timestamp) -> Result<(), Rejection> {
        if !self.is_of(presented_sha256) {
            return Err(Rejection::TokenUnknown);
        }
        if self.expires_at <= now { Err(Rejection::TokenExpired) } else { Ok(()) }
    }

    /// Whether it was made less than a minute ago.
    fn is_recent(&self, now: Timestamp) -> bool {
        let pause = SignedDuration::from_mins(REQUEST_PAUSE_MINUTES);
        self.expires_at.duration_since(end(now)) > -pause
    }
}

/// The end of a token made now.
fn end(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_mins(TOKEN_MINUTES)).unwrap_or(Timestamp::MAX)
}

impl User {
    /// One's own new password spares the session in which it was chosen; everybody else's ends all.
    pub(super) fn set_password(
        &self,
        set: &SetPassword,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        in_person(context)?;
        facts.in_reach(context)?;
        if self.password == Some(set.secret_id) {
            return Ok(vec![]);
        }
        let is_own = context.actor.kind == ActorKind::User && context.actor.acts_as(facts.user_id);
        let except = context.actor.session_id.filter(|_| is_own);
        Ok(self.replace_password(set, except))
    }

    fn replace_password(&self, set: &SetPassword, except: Option<SessionId>) -> Vec<Event> {
        let replaced = Event::PasswordReplaced { secret_id: set.secret_id };
        // Without a password there was no way to a session.
        let ended = self.password.map(|_| ended(RevocationReason::Password, except));
        [replaced].into_iter().chain(ended).collect()
    }

    /// Nobody learns from it whether there is an address, nor fills somebody's inbox.
    pub(super) fn request_reset(&self, facts: &Facts, now: Timestamp) -> Vec<Event> {
        let recent = self.password_reset.as_ref().is_some_and(|reset| reset.is_recent(now));
        if self.email.is_none() || recent {
            return vec![];
        }
        let token_sha256 = facts.next_sha256.clone();
        vec![Event::PasswordResetRequested { token_sha256, expires_at: end(now) }]
    }

    /// Whoever reads the e-mail has proved who they are, so a lock ends as well.
    pub(super) fn reset_password(
        &self,
        reset: &ResetPassword,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let pending = self.password_reset.as_ref().ok_or(Rejection::TokenUnknown)?;
        pending.check(&reset.presented_sha256, now)?;
        let held = self.locked(now).is_some() || !self.failures.is_empty();
        let set = SetPassword { secret_id: reset.secret_id };
        let replaced = self.replace_password(&set, None);
        let reads = (!self.email_confirmed).then_some(Event::EmailConfirmed);
        let unlocked = held.then_some(Event::Unlocked);
        Ok(unlocked.into_iter().chain(reads).chain(replaced).collect())
    }

    pub(super) fn request_email(
        &self,
        wanted: &RequestEmailChange,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let email = email(&wanted.email)?;
        if Some(&email) == self.email.as_ref() {
            return Ok(vec![]);
        }
        if self.email_change.as_ref().is_some_and(|(_, pending)| pending.is_recent(now)) {
            return Err(Rejection::RequestedJustNow);
        }
        let token_sha256 = facts.next_sha256.clone();
        Ok(vec![Event::EmailChangeRequested { email, token_sha256, expires_at: end(now) }])
    }

    pub(super) fn confirm_email(
        &self,
        confirm: &ConfirmEmailChange,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let (email, pending) = self.email_change.as_ref().ok_or(Rejection::TokenUnknown)?;
        pending.check(&confirm.presented_sha256, now)?;
        let (previous, email) = (self.email.clone(), Some(email.clone()));
        Ok(vec![Event::EmailReplaced { previous, email }, Event::EmailConfirmed])
    }

    /// Whoever has the identity can act as the user, so whoever links it must be able to take over the account; by its
    /// e-mail address alone it is linked where the user has shown that the address is theirs.
    pub(super) fn link(
        &self,
        link: &LinkIdentity,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        in_person(context)?;
        facts.in_reach(context)?;
        if let Some(by_email) = &link.by_email {
            let is_theirs = self.email.as_deref().map(text::fold) == Some(text::fold(by_email));
            if !is_theirs || !self.email_confirmed {
                return Err(Rejection::EmailUnconfirmed);
            }
        }
        match self.identities.get(&link.issuer_id) {
            Some(linked) if *linked == link.subject_sha256 => return Ok(vec![]),
            Some(_) => return Err(Rejection::IdentityDiffers),
            None if self.identities.len() >= IDENTITIES_MAX_COUNT => {
                return Err(Rejection::IdentitiesTooMany);
            }
            None => {}
        }
        let LinkIdentity { issuer_id, subject_sha256, .. } = link.clone();
        Ok(vec![Event::IdentityLinked { issuer_id, subject_sha256 }])
    }

    /// Sessions that began by the identity end with all others; one's own goes on.
    pub(super) fn unlink(
        &self,
        unlink: &UnlinkIdentity,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        in_person(context)?;
        facts.in_reach(context)?;
        let unlinked = self.unlinked(unlink.issuer_id).ok_or(Rejection::IdentityUnknown)?;
        let is_own = context.actor.kind == ActorKind::User && context.actor.acts_as(facts.user_id);
        let except = context.actor.session_id.filter(|_| is_own);
        Ok(vec![unlinked, ended(RevocationReason::Unlinked, except)])
    }

    pub(super) fn unlinked(&self, issuer_id: IssuerId) -> Option<Event> {
        let subject_sha256 = self.identities.get(&issuer_id)?.clone();
        Some(Event::IdentityUnlinked { issuer_id, subject_sha256 })
    }
}
