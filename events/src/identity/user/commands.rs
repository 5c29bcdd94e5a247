//! What can be asked of a user.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{IssuerId, SecretId, UserId};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Registers the user.
    Register(Register),
    /// Gives them another name to show.
    Rename(Rename),
    /// Gives them another language and region, another clock, or both.
    Relocate(Relocate),
    /// Exchanges their e-mail address.
    ChangeEmail(ChangeEmail),
    /// Gives them another name to sign in with.
    ChangeHandle(ChangeHandle),
    /// Exchanges their telephone number.
    ChangePhone(ChangePhone),
    /// Gives them a new password, whose hash is in `secrets` already.
    SetPassword(SetPassword),
    /// Lets whoever reads their e-mail set another password, which they forgot.
    RequestPasswordReset,
    /// Gives them a new password by the token of such a request.
    ResetPassword(ResetPassword),
    /// Asks whoever reads the e-mail of another address to confirm that it is theirs.
    RequestEmailChange(RequestEmailChange),
    /// Exchanges their e-mail address by the token of such a request.
    ConfirmEmailChange(ConfirmEmailChange),
    /// Lets an issuer's word for a subject be enough to sign in as them.
    LinkIdentity(LinkIdentity),
    /// Takes that back.
    UnlinkIdentity(UnlinkIdentity),
    /// Ends all their sessions.
    EndSessions,
    /// Notes that somebody failed to sign in as them.
    RecordLoginFailure(RecordLoginFailure),
    /// Notes that they proved who they are; refused when they may not sign in.
    RecordLogin,
    /// Ends a lock and forgets failed sign-ins.
    Unlock,
    /// Keeps them from signing in.
    Deactivate(Deactivate),
    /// Lets them sign in again.
    Reactivate,
    /// Forgets them for good.
    Erase(Erase),
}

/// Registers a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The name to sign in with: 1 to 128 printable characters without spaces, unique in the
    /// organisation.
    pub handle: String,
    /// The name to show.
    pub display_name: String,
    /// The e-mail address, unique in the organisation.
    #[serde(default)]
    pub email: Option<String>,
    /// Language and region, a BCP 47 tag.
    pub locale: String,
    /// Time zone, an IANA name.
    pub time_zone: String,
}

/// Gives a user another name to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The new name.
    pub display_name: String,
}

/// Gives a user another language and region, another clock, or both; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocate {
    /// Language and region, a BCP 47 tag.
    pub locale: Option<String>,
    /// Time zone, an IANA name.
    pub time_zone: Option<String>,
}

/// Exchanges a user's e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// The new address; none gives the old one up.
    pub email: Option<String>,
}

/// Gives a user another name to sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeHandle {
    /// The new name.
    pub handle: String,
}

/// Exchanges a user's telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePhone {
    /// The new number, as E.164 has it; none gives the old one up.
    pub phone: Option<String>,
}

/// Gives a user a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPassword {
    /// The row of `secrets` that holds its hash.
    pub secret_id: SecretId,
}

/// Gives a user a new password by a token from their e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetPassword {
    /// SHA-256 of the token that was presented.
    pub presented_sha256: String,
    /// The row of `secrets` that holds the hash of the password.
    pub secret_id: SecretId,
}

/// Asks for a new e-mail address to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEmailChange {
    /// The new address.
    pub email: String,
}

/// Confirms a new e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmEmailChange {
    /// SHA-256 of the token that was presented.
    pub presented_sha256: String,
}

/// Links what an issuer calls somebody to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkIdentity {
    /// The issuer.
    pub issuer_id: IssuerId,
    /// The keyed digest of the subject.
    pub subject_sha256: String,
    /// The e-mail address that the issuer confirmed, where that alone is why it should be this user.
    pub by_email: Option<String>,
}

/// Unlinks what an issuer calls a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlinkIdentity {
    /// The issuer.
    pub issuer_id: IssuerId,
}

/// Notes that somebody failed to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLoginFailure {
    /// From where.
    pub ip: Option<IpAddr>,
}

/// Keeps a user from signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deactivate {
    /// Why.
    pub reason: String,
}

/// Forgets a user for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erase {
    /// Whom.
    pub user_id: UserId,
    /// Their handle, so that nobody is erased by mistake. Our own services need none: they carry out what was decided before.
    pub handle: Option<String>,
}
