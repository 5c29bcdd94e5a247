//! What can have happened to a user.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;
use crate::identity::session::RevocationReason;
use crate::ids::{IssuerId, SecretId, SessionId};
use crate::personal::Personal;
use crate::text::fold;

/// The namespace of handles, unique in the organisation.
pub const HANDLE: &str = "identity.user.handle";
/// The namespace of e-mail addresses, unique in the organisation.
pub const EMAIL: &str = "identity.user.email";
/// The namespace of what issuers call users: each of it is one user of the organisation.
pub const IDENTITY: &str = "identity.user.identity";

/// A fact about a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// The user was registered.
    #[serde(rename = "identity.user.registered")]
    Registered {
        /// The name to sign in with.
        handle: String,
        /// The name to show.
        display_name: String,
        /// The e-mail address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Language and region, a BCP 47 tag.
        locale: String,
        /// Time zone, an IANA name.
        time_zone: String,
    },
    /// The user got another name to show.
    #[serde(rename = "identity.user.renamed")]
    Renamed {
        /// The new name.
        display_name: String,
    },
    /// The user reads another language or lives by another clock.
    #[serde(rename = "identity.user.relocated")]
    Relocated {
        /// Language and region, a BCP 47 tag.
        locale: String,
        /// Time zone, an IANA name.
        time_zone: String,
    },
    /// The user got, gave up or exchanged an e-mail address.
    #[serde(rename = "identity.user.email_replaced")]
    EmailReplaced {
        /// The address before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<String>,
        /// The address now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
    },
    /// The user signs in by another name.
    #[serde(rename = "identity.user.handle_replaced")]
    HandleReplaced {
        /// The name before.
        previous: String,
        /// The name now.
        handle: String,
    },
    /// The user got, gave up or exchanged a telephone number.
    #[serde(rename = "identity.user.phone_replaced")]
    PhoneReplaced {
        /// The number now, as E.164 has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<String>,
    },
    /// The user has a new password.
    #[serde(rename = "identity.user.password_replaced")]
    PasswordReplaced {
        /// The row of `secrets` that holds its hash.
        secret_id: SecretId,
    },
    /// Somebody forgot the user's password, and whoever reads the user's e-mail can set another.
    #[serde(rename = "identity.user.password_reset_requested")]
    PasswordResetRequested {
        /// SHA-256 of the token, in hexadecimal digits.
        token_sha256: String,
        /// From when on the token is of no use.
        expires_at: Timestamp,
    },
    /// The user wants another e-mail address, and whoever reads its e-mail can confirm that.
    #[serde(rename = "identity.user.email_change_requested")]
    EmailChangeRequested {
        /// The address, once it is confirmed.
        email: String,
        /// SHA-256 of the token, in hexadecimal digits.
        token_sha256: String,
        /// From when on the token is of no use.
        expires_at: Timestamp,
    },
    /// The user has shown that they read what is sent to their e-mail address.
    #[serde(rename = "identity.user.email_confirmed")]
    EmailConfirmed,
    /// What an issuer calls somebody was linked to the user: its word is enough to sign in as them.
    #[serde(rename = "identity.user.identity_linked")]
    IdentityLinked {
        /// The issuer.
        issuer_id: IssuerId,
        /// The keyed digest of what the issuer calls them, in hexadecimal digits.
        subject_sha256: String,
    },
    /// What an issuer calls somebody is not linked to the user any more.
    #[serde(rename = "identity.user.identity_unlinked")]
    IdentityUnlinked {
        /// The issuer.
        issuer_id: IssuerId,
        /// The keyed digest of what the issuer calls them, in hexadecimal digits.
        subject_sha256: String,
    },
    /// Every session that the user had was ended.
    #[serde(rename = "identity.user.sessions_ended")]
    SessionsEnded {
        /// Why.
        reason: RevocationReason,
        /// The one that goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        except: Option<SessionId>,
    },
    /// Somebody failed to sign in as the user.
    #[serde(rename = "identity.user.login_failed")]
    LoginFailed {
        /// How many times within the last quarter of an hour, this one included.
        count: u32,
        /// When.
        failed_at: Timestamp,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ip: Option<String>,
    },
    /// The user cannot sign in for a while.
    #[serde(rename = "identity.user.locked")]
    Locked {
        /// The end of the lock.
        until: Timestamp,
    },
    /// The user signed in after failures, which no longer count.
    #[serde(rename = "identity.user.login_failures_cleared")]
    LoginFailuresCleared,
    /// The user may sign in again.
    #[serde(rename = "identity.user.unlocked")]
    Unlocked,
    /// The user may no longer sign in.
    #[serde(rename = "identity.user.deactivated")]
    Deactivated {
        /// Why.
        reason: String,
    },
    /// The user may sign in again.
    #[serde(rename = "identity.user.reactivated")]
    Reactivated,
    /// What is known of the user was forgotten for good; the id stays, so that history says who did what.
    #[serde(rename = "identity.user.erased")]
    Erased {
        /// The handle, free again.
        handle: String,
        /// The e-mail address, free again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
    },
}

impl crate::aggregate::Event for Event {
    const PERSONAL: &'static [Personal] = &[
        Personal::of_stream("identity.user.registered", &["handle", "display_name", "email"]),
        Personal::of_stream("identity.user.renamed", &["display_name"]),
        Personal::of_stream("identity.user.email_replaced", &["previous", "email"]),
        Personal::of_stream("identity.user.handle_replaced", &["previous", "handle"]),
        Personal::of_stream("identity.user.phone_replaced", &["phone"]),
        Personal::of_stream("identity.user.email_change_requested", &["email"]),
        Personal::of_stream("identity.user.identity_linked", &["subject_sha256"]),
        Personal::of_stream("identity.user.identity_unlinked", &["subject_sha256"]),
        Personal::of_stream("identity.user.login_failed", &["ip"]),
        Personal::of_stream("identity.user.deactivated", &["reason"]),
        Personal::of_stream("identity.user.erased", &["handle", "email"]),
    ];

    fn claims(&self, _: &str) -> Vec<Claim> {
        let taken =
            |email: &Option<String>| email.as_deref().map(|it| Claim::take(EMAIL, fold(it)));
        match self {
            Self::Registered { handle, email, .. } => {
                taken(email).into_iter().chain([Claim::take(HANDLE, fold(handle))]).collect()
            }
            Self::EmailReplaced { previous, email } => {
                exchanged(EMAIL, previous.as_deref(), email.as_deref())
            }
            Self::HandleReplaced { previous, handle } => {
                exchanged(HANDLE, Some(previous), Some(handle))
            }
            Self::Erased { handle, email } => {
                let email = email.as_deref().map(|it| Claim::release(EMAIL, fold(it)));
                email.into_iter().chain([Claim::release(HANDLE, fold(handle))]).collect()
            }
            Self::IdentityLinked { issuer_id, subject_sha256 } => {
                vec![Claim::take(IDENTITY, identity(*issuer_id, subject_sha256))]
            }
            Self::IdentityUnlinked { issuer_id, subject_sha256 } => {
                vec![Claim::release(IDENTITY, identity(*issuer_id, subject_sha256))]
            }
            Self::Renamed { .. }
            | Self::Relocated { .. }
            | Self::PhoneReplaced { .. }
            | Self::EmailConfirmed
            | Self::PasswordReplaced { .. }
            | Self::PasswordResetRequested { .. }
            | Self::EmailChangeRequested { .. }
            | Self::SessionsEnded { .. }
            | Self::LoginFailed { .. }
            | Self::Locked { .. }
            | Self::LoginFailuresCleared
            | Self::Unlocked
            | Self::Deactivated { .. }
            | Self::Reactivated => Vec::new(),
        }
    }
}

/// One name for another; only the case of it is no change of what is claimed.
fn exchanged(namespace: &'static str, previous: Option<&str>, now: Option<&str>) -> Vec<Claim> {
    let (previous, now) = (previous.map(fold), now.map(fold));
    if previous == now {
        return Vec::new();
    }
    let released = previous.map(|it| Claim::release(namespace, it));
    released.into_iter().chain(now.map(|it| Claim::take(namespace, it))).collect()
}

/// What is claimed of what an issuer calls somebody.
pub fn identity(issuer: IssuerId, subject_sha256: &str) -> String {
    format!("{issuer}:{subject_sha256}")
}
