//! The rules of an invitation.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{Accept, Command, Event, Invitation, Issue, Status};
use crate::aggregate::{Actor, ActorKind, Class, Context, Decider, values};
use crate::identity::organization::Organization;
use crate::identity::user;
use crate::ids::UserId;
use crate::modules::Module;
use crate::permission::Permission;
use crate::rbac::Assignment;
use crate::rbac::giving::Giver;
use crate::rbac::policy::Policy;
use crate::rbac::user_access::{self, UserAccess};
use crate::text::{self, Fault};

/// How long an invitation can be accepted after it was sent.
pub const LIFETIME_DAYS: i64 = 7;
/// The most roles that one invitation promises.
pub const ROLES_MAX_COUNT: usize = 50;
/// The longest message.
pub const MESSAGE_MAX_CHARS: usize = 2_000;

/// What a decision on an invitation needs to know of other streams.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The organisation's policy.
    pub policy: Arc<Policy>,
    /// The organisation, where a role counts in one of its units.
    pub organization: Arc<Organization>,
    /// The roles of the sender: of the caller, or where it is accepted of whoever sent it last.
    pub sender_access: Arc<UserAccess>,
    /// Whether the sender may sign in.
    pub sender_is_active: bool,
    /// SHA-256 of the token that the next sending hands out.
    pub next_sha256: String,
}

/// Why an invitation refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "INVITATION_")]
pub enum Rejection {
    /// There is no such invitation.
    #[error("there is no such invitation: issue one")]
    Unknown,
    /// The invitation exists already.
    #[error("the invitation exists already: resend it, or issue another")]
    Exists,
    /// The token is not the one that is good now.
    #[error("token is not of an invitation: use the one that came last, or ask for another")]
    TokenUnknown,
    /// Its time is over.
    #[error("the invitation expired: ask for it to be sent again")]
    Expired,
    /// Its time is not over.
    #[error("the invitation has not reached its expires_at: revoke it instead")]
    NotDue,
    /// It was accepted.
    #[error("the invitation was accepted already: sign in")]
    Accepted,
    /// It was taken back.
    #[error("the invitation was revoked: ask for another")]
    Revoked,
    /// Nothing is known of the invitee any more.
    #[error("the invitation was erased, for good: issue another")]
    Erased,
    /// The invitee is a user by now.
    #[error("the invitee became a user: erase the user, and the invitation with them")]
    OfUser,
    /// Nobody answers for it.
    #[error("only users invite: sign in as one")]
    SenderMissing,
    /// The e-mail address is not one.
    #[error("email is not an address: write it like anna@example.org")]
    EmailInvalid,
    /// The message cannot be used.
    #[error("message {0}")]
    MessageInvalid(Fault),
    /// It promises more roles than an invitation can.
    #[error("roles are more than {ROLES_MAX_COUNT}: assign the others later")]
    TooManyRoles,
    /// A role is named twice for the same place.
    #[error("roles names a role twice for the same unit: name it once")]
    RoleRepeated,
    /// The sender may not give one of the roles.
    #[error(transparent)]
    Role(#[from] user_access::Rejection),
    /// Whoever sent it may no longer give what it promises.
    #[error("whoever sent the invitation may no longer do so: ask for it to be sent again")]
    Unbacked,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        if let Self::Role(rejection) = self { rejection.code() } else { self.into() }
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown | Self::TokenUnknown => Class::Absent,
            Self::Exists
            | Self::Expired
            | Self::NotDue
            | Self::Accepted
            | Self::Revoked
            | Self::Erased
            | Self::OfUser
            | Self::Unbacked => Class::Conflict,
            Self::SenderMissing => Class::Forbidden,
            Self::EmailInvalid
            | Self::MessageInvalid(_)
            | Self::TooManyRoles
            | Self::RoleRepeated => Class::Invalid,
            Self::Role(rejection) => rejection.class(),
        }
    }

    fn params(&self) -> Map<String, Value> {
        if let Self::Role(rejection) = self { rejection.params() } else { values(self) }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::TokenUnknown => Some("/token"),
            Self::EmailInvalid => Some("/email"),
            Self::MessageInvalid(_) => Some("/message"),
            Self::TooManyRoles | Self::RoleRepeated | Self::Role(_) => Some("/roles"),
            Self::Unknown
            | Self::Exists
            | Self::Expired
            | Self::NotDue
            | Self::Accepted
            | Self::Revoked
            | Self::Erased
            | Self::OfUser
            | Self::SenderMissing
            | Self::Unbacked => None,
        }
    }
}

impl Decider for Invitation {
    const TYPE: &'static str = "identity.invitation";
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
        match command {
            Command::Issue(issue) => self.issue(issue, facts, context),
            Command::Resend => self.resend(facts, context),
            Command::Accept(accept) => self.accept(&accept, facts, context),
            Command::Expire => self.expire(context.now),
            Command::Revoke => self.revoke(),
            Command::Erase => self.erase(context),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Invitation {
    /// Whether whoever presents this token may accept the invitation now.
    pub fn check(&self, presented_sha256: &str, now: Timestamp) -> Result<(), Rejection> {
        if !self.is_token(presented_sha256) {
            return Err(Rejection::TokenUnknown);
        }
        self.open()?;
        if self.expires_at <= now { Err(Rejection::Expired) } else { Ok(()) }
    }

    /// Whether this is the digest of the token that is good now, in constant time.
    pub fn is_token(&self, presented_sha256: &str) -> bool {
        text::is_same_sha256(&self.token_sha256, presented_sha256)
    }

    fn open(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Open | Status::Expired => Ok(()),
            Status::Accepted => Err(Rejection::Accepted),
            Status::Revoked => Err(Rejection::Revoked),
            Status::Erased => Err(Rejection::Erased),
        }
    }

    fn issue(
        &self,
        issue: Issue,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => {}
            Status::Open
            | Status::Expired
            | Status::Accepted
            | Status::Revoked
            | Status::Erased => {
                return Err(Rejection::Exists);
            }
        }
        let email = user::email(&issue.email).map_err(|_| Rejection::EmailInvalid)?;
        let message = issue.message.map(|text| text::lines(&text, MESSAGE_MAX_CHARS)).transpose();
        let message = message.map_err(Rejection::MessageInvalid)?;
        if issue.roles.len() > ROLES_MAX_COUNT {
            return Err(Rejection::TooManyRoles);
        }
        let mut named = issue.roles.iter().enumerate();
        let repeated = |(index, role): (usize, &Assignment)| {
            issue.roles[..index].iter().any(|other| other.is_of(role.role_id, role.unit_id))
        };
        if named.any(repeated) {
            return Err(Rejection::RoleRepeated);
        }
        may_give(&issue.roles, facts, context)?;
        Ok(vec![Event::Issued {
            email,
            roles: issue.roles,
            message,
            invited_by: sender(context)?,
            token_sha256: facts.next_sha256.clone(),
            expires_at: end(context.now),
        }])
    }

    /// One that has expired can be sent again too.
    fn resend(&self, facts: &Facts, context: &Context) -> Result<Vec<Event>, Rejection> {
        self.open()?;
        may_give(&self.roles, facts, context)?;
        Ok(vec![Event::Resent {
            invited_by: sender(context)?,
            token_sha256: facts.next_sha256.clone(),
            expires_at: end(context.now),
            // Since it expired, the address was free for another invitation.
            email: (self.status == Status::Expired).then(|| self.email.clone()),
        }])
    }

    /// Timers come again: what is recorded already needs no second record.
    fn expire(&self, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Open if now < self.expires_at => Err(Rejection::NotDue),
            Status::Open => Ok(vec![Event::Expired { email: self.email.clone() }]),
            Status::Expired | Status::Accepted | Status::Revoked | Status::Erased => Ok(vec![]),
        }
    }

    fn accept(
        &self,
        accept: &Accept,
        facts: &Facts,
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        self.check(&accept.presented_sha256, context.now)?;
        if !self.is_backed(facts, context) {
            return Err(Rejection::Unbacked);
        }
        Ok(vec![Event::Accepted { user_id: accept.user_id, email: self.email.clone() }])
    }

    /// Whether the sender could still send it, so that a revocation of their rights reaches what they promised.
    fn is_backed(&self, facts: &Facts, context: &Context) -> bool {
        let actor = Actor {
            kind: ActorKind::User,
            id: self.invited_by.to_string(),
            session_id: None,
            on_behalf_of: None,
            api_key_id: None,
        };
        let sender = Context { actor, ..context.clone() };
        let giver = Giver { context: &sender, policy: &facts.policy, access: &facts.sender_access };
        let needed = needed(&self.roles);
        facts.sender_is_active
            && needed.into_iter().all(|permission| giver.has(permission))
            && may_give(&self.roles, facts, &sender).is_ok()
    }

    fn revoke(&self) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Open | Status::Expired => {
                Ok(vec![Event::Revoked { email: self.email.clone() }])
            }
            Status::Accepted => Err(Rejection::Accepted),
            Status::Revoked | Status::Erased => Ok(vec![]),
        }
    }

    /// One that was accepted is about a user: it goes with them, and our own services see to that.
    fn erase(&self, context: &Context) -> Result<Vec<Event>, Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Accepted if context.actor.kind != ActorKind::Service => Err(Rejection::OfUser),
            Status::Open | Status::Expired | Status::Accepted | Status::Revoked => {
                Ok(vec![Event::Erased { email: self.email.clone() }])
            }
            Status::Erased => Ok(vec![]),
        }
    }
}

/// What whoever sends an invitation with these roles must hold.
pub fn needed(roles: &[Assignment]) -> Vec<Permission> {
    let assigns = (!roles.is_empty()).then_some(Permission::RbacAssignmentsAssign);
    assigns.into_iter().chain([Permission::IdentityInvitationsManage]).collect()
}

fn may_give(
    roles: &[Assignment],
    facts: &Facts,
    context: &Context,
) -> Result<(), user_access::Rejection> {
    let giver = Giver { context, policy: &facts.policy, access: &facts.sender_access };
    roles.iter().try_for_each(|role| {
        let path = role.unit_id.map(|unit| facts.organization.path(unit)).unwrap_or_default();
        giver.may_give(role, &path)
    })
}

fn sender(context: &Context) -> Result<UserId, Rejection> {
    context.actor.user().ok_or(Rejection::SenderMissing)
}

fn end(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(24 * LIFETIME_DAYS)).unwrap_or(Timestamp::MAX)
}
