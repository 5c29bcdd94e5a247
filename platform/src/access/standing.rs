//! A caller's standing: the account, the session or key, and the rights, each at a known version.

use std::sync::Arc;

use events::identity::api_key::ApiKey;
use events::identity::issuer::Issuer;
use events::identity::organization::Organization;
use events::identity::session::Session;
use events::identity::user::{Status, User};
use events::rbac::policy::Policy;
use events::rbac::resolve::{Effective, Holder};
use events::rbac::user_access::UserAccess;
use events::{UnitId, UserId};
use jiff::Timestamp;

use super::check_at_work;
use crate::api_keys;
use crate::fold::Folded;
use crate::problem::Problem;

/// A user's standing in an organisation, all of it at known versions.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose it is.
    pub user_id: UserId,
    /// What the effective set was worked out from.
    pub versions: Versions,
    /// The account.
    pub user: Folded<User>,
    /// The session in use, with its id.
    pub session: Option<(String, Folded<Session>)>,
    /// The API key in use, if it is one.
    pub key: Option<KeyInUse>,
    /// The issuer whose word the session rests on, with its id.
    pub issuer: Option<(String, Folded<Issuer>)>,
    /// The organisation, which may be suspended.
    pub organization: Folded<Organization>,
    /// What follows for the organisation as a whole.
    pub effective: Arc<Effective>,
}

/// An API key that somebody acts by.
#[derive(Debug, Clone)]
pub struct KeyInUse {
    /// Its id.
    pub id: String,
    /// Which of its secrets was shown.
    pub rotation: u32,
    /// The key.
    pub folded: Folded<ApiKey>,
}

/// The versions that an effective set was worked out from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the organisation's policy.
    pub policy: i64,
    /// Of the user's roles.
    pub access: i64,
}

/// The policy and the user's roles themselves, for decisions about them and answers that say why.
#[derive(Debug, Clone)]
pub struct Rights {
    /// The organisation's roles and permissions.
    pub policy: Folded<Policy>,
    /// The roles assigned to the user.
    pub access: Folded<UserAccess>,
}
impl Versions {
    /// Whether nothing in `other` is younger.
    pub(super) fn reach(self, other: Self) -> bool {
        self.policy >= other.policy && self.access >= other.access
    }
}

impl Rights {
    /// The user seen at a unit and a moment.
    pub fn holder<'a>(
        &'a self,
        user_id: UserId,
        unit_path: &'a [UnitId],
        now: Timestamp,
    ) -> Holder<'a> {
        Holder { policy: &self.policy.state, user_id, access: &self.access.state, unit_path, now }
    }

    /// Where they stand.
    pub fn versions(&self) -> Versions {
        Versions { policy: self.policy.version, access: self.access.version }
    }
}

impl Standing {
    /// Whether the issuer that a session rests on is trusted, and was all along.
    fn is_vouched_for(&self, session: &Session) -> bool {
        let keeps = |after| self.issuer.as_ref().is_some_and(|(_, it)| it.state.keeps(after));
        session.issuer.is_none_or(|(_, began_after)| keeps(began_after))
    }

    /// Whether the organisation is at work, and the account and the session or the key still stand; a token outlives none.
    pub fn check_session(&self, now: Timestamp) -> Result<(), Problem> {
        check_at_work(&self.organization.state)?;
        match self.user.state.status {
            Status::Active => {}
            Status::Absent | Status::Deactivated | Status::Erased => {
                return Err(Problem::token_refused("the account is not active"));
            }
        }
        if let Some(KeyInUse { rotation, folded: Folded { state, .. }, .. }) = &self.key {
            if state.owner_id != self.user_id {
                return Err(Problem::token_refused("the API key is not valid; use another"));
            }
            return state.alive(*rotation, now).map_err(|rejection| api_keys::ended(&rejection));
        }
        let theirs = |id: &str, session: &Session| {
            let kept = |id| self.user.state.keeps(id, session.began_after);
            session.user_id == self.user_id && id.parse().is_ok_and(kept)
        };
        match &self.session {
            Some((id, Folded { state, .. }))
                if theirs(id, state) && self.is_vouched_for(state) && state.alive(now).is_ok() =>
            {
                Ok(())
            }
            Some(_) => Err(Problem::token_refused("the session has ended; sign in again")),
            None => Err(Problem::token_refused("the token names no session; sign in again")),
        }
    }
}
