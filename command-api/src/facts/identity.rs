//! What decisions about people, their sessions and their programs need to know.

use std::sync::Arc;

use events::identity::api_key::{self, ApiKey};
use events::identity::invitation::{self, Invitation};
use events::identity::issuer::{self, Issuer};
use events::identity::organization::{self, Organization};
use events::identity::session::{self, Session};
use events::identity::user::{self, User};
use events::rbac::policy::Policy;
use events::rbac::user_access::UserAccess;
use events::settings::configuration::Configuration;
use events::settings::{Key, effective};
use events::{Context, UserId};
use platform::bearer;
use platform::problem::Problem;
use platform::secrets::fingerprint;

use super::{LoadFacts, Sources};
use crate::draft::Draft;
use crate::identity::{default_access, next_digest, opened};
use crate::log::StreamWrite;

impl LoadFacts<Invitation> for invitation::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &Invitation,
        command: &invitation::Command,
    ) -> Result<Self, Problem> {
        let tenant = sources.tenant.to_string();
        let (sender, roles) = match command {
            invitation::Command::Issue(issue) => (sources.caller(), &issue.roles),
            invitation::Command::Resend => (sources.caller(), &state.roles),
            invitation::Command::Accept(_) => (Some(state.invited_by), &state.roles),
            invitation::Command::Expire
            | invitation::Command::Revoke
            | invitation::Command::Erase => return Ok(Self::default()),
        };
        let organization = if roles.iter().any(|role| role.unit_id.is_some()) {
            sources.get::<Organization>(&tenant).await?.state
        } else {
            Arc::default()
        };
        let (sender_is_active, sender_access) = match sender.map(|sender| sender.to_string()) {
            Some(sender) => {
                let user = sources.get::<User>(&sender).await?.state;
                let active = user.status == user::Status::Active;
                (active, sources.get::<UserAccess>(&sender).await?.state)
            }
            None => (false, Arc::default()),
        };
        let policy = sources.get::<Policy>(&tenant).await?.state;
        let next_sha256 = next_digest(&sources.app.master, sources.tenant, id, state.sendings + 1)?;
        Ok(Self { policy, organization, sender_access, sender_is_active, next_sha256 })
    }
}

impl LoadFacts<User> for user::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &User,
        command: &user::Command,
    ) -> Result<Self, Problem> {
        let user_id: UserId = id.parse().map_err(|_| Problem::absent("user"))?;
        let (master, tenant) = (&sources.app.master, sources.tenant);
        let next = |kind: bearer::Kind| {
            fingerprint(&kind.make(master, tenant, user_id.0, state.requests + 1))
        };
        let known = Self { user_id, ..Self::default() };
        match command {
            user::Command::SetPassword(_)
            | user::Command::ChangeEmail(_)
            | user::Command::ChangeHandle(_)
            | user::Command::Unlock
            | user::Command::Reactivate
            | user::Command::LinkIdentity(_)
            | user::Command::UnlinkIdentity(_) => reach(sources, known).await,
            user::Command::Deactivate(_) => {
                let known = reach(sources, known).await?;
                administrators(sources, known).await
            }
            user::Command::RequestPasswordReset => {
                Ok(Self { next_sha256: next(bearer::PASSWORD_RESET), ..known })
            }
            user::Command::RequestEmailChange(_) => {
                Ok(Self { next_sha256: next(bearer::EMAIL_CHANGE), ..known })
            }
            user::Command::Register(_)
            | user::Command::Rename(_)
            | user::Command::Relocate(_)
            | user::Command::ChangePhone(_)
            | user::Command::ResetPassword(_)
            | user::Command::ConfirmEmailChange(_)
            | user::Command::EndSessions
            | user::Command::RecordLoginFailure(_)
            | user::Command::RecordLogin
            | user::Command::Erase(_) => Ok(known),
        }
    }

    async fn streams(
        sources: &mut Sources<'_>,
        draft: &Draft<User>,
        context: &Context,
    ) -> Result<Vec<StreamWrite>, Problem> {
        let access =
            if draft.is_birth() { newcomer(sources, draft.id(), context).await? } else { None };
        Ok([draft.write()].into_iter().chain(access).collect())
    }
}

/// A newcomer has the default role from the start.
async fn newcomer(
    sources: &mut Sources<'_>,
    user_id: &str,
    context: &Context,
) -> Result<Option<StreamWrite>, Problem> {
    if sources.app.settings.rbac_default_role.is_empty() {
        return Ok(None);
    }
    let tenant = sources.tenant.to_string();
    let policy = sources.get::<Policy>(&tenant).await?.state;
    let user_id = user_id.parse().map_err(|_| Problem::absent("user"))?;
    default_access(sources.app, policy, user_id, context).await
}

/// What says whether the caller may take over an account, and what they may do themselves.
async fn reach(sources: &mut Sources<'_>, known: user::Facts) -> Result<user::Facts, Problem> {
    let tenant = sources.tenant.to_string();
    let policy = sources.get::<Policy>(&tenant).await?.state;
    let access = sources.now::<UserAccess>(&known.user_id.to_string()).await?.state;
    let caller_access = sources.actor_access().await?;
    let mut held = policy.protected_grants(known.user_id).iter().chain(access.assignments());
    let organization = if held.any(|held| held.unit_id.is_some()) {
        sources.get::<Organization>(&tenant).await?.state
    } else {
        Arc::default()
    };
    Ok(user::Facts { policy, organization, access, caller_access, ..known })
}

/// What says whether anybody else could administer the organisation; who is found to is named in the append.
async fn administrators(
    sources: &mut Sources<'_>,
    known: user::Facts,
) -> Result<user::Facts, Problem> {
    let tenant = sources.tenant.to_string();
    let policy = sources.now::<Policy>(&tenant).await?.state;
    let administrators: Vec<UserId> = policy.administrators().collect();
    let mut another_administrator = false;
    if administrators.contains(&known.user_id) {
        for other in administrators.iter().filter(|other| **other != known.user_id) {
            let other = sources.now::<User>(&other.to_string()).await?.state;
            another_administrator = other.status == user::Status::Active;
            if another_administrator {
                break;
            }
        }
    }
    Ok(user::Facts { policy, another_administrator, ..known })
}

impl LoadFacts<Session> for session::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &Session,
        command: &session::Command,
    ) -> Result<Self, Problem> {
        let session_id = id.parse().map_err(|_| Problem::absent("session"))?;
        let (user_id, issuer_id) = match command {
            session::Command::Start(start) => {
                (start.user_id, start.exchanged.as_ref().map(|it| it.issuer_id))
            }
            session::Command::Refresh(_) => (state.user_id, state.issuer.map(|(id, _)| id)),
            session::Command::Revoke(revoke) => {
                let user_id = state.user_id;
                let known = user::Facts { user_id, ..user::Facts::default() };
                let by_another = revoke.reason == session::RevocationReason::Admin;
                let reach = if by_another { reach(sources, known).await? } else { known };
                return Ok(Self { reach, ..Self::default() });
            }
        };
        let user = sources.now::<User>(&user_id.to_string()).await?.state;
        let issuer = match issuer_id {
            Some(issuer) => sources.now::<Issuer>(&issuer.to_string()).await?.state,
            None => Arc::default(),
        };
        let idle_hours = idle_hours(sources).await?;
        Ok(Self { session_id, user, issuer, idle_hours, ..Self::default() })
    }

    async fn streams(
        sources: &mut Sources<'_>,
        draft: &Draft<Session>,
        context: &Context,
    ) -> Result<Vec<StreamWrite>, Problem> {
        let mut streams = vec![draft.write()];
        if draft.is_birth() {
            streams.extend(opened(sources, draft, context).await?);
        }
        Ok(streams)
    }
}

/// After how many hours without use sessions end, where the organisation says so.
pub(crate) async fn idle_hours(sources: &mut Sources<'_>) -> Result<Option<i64>, Problem> {
    let tenant = sources.tenant.to_string();
    let configuration = sources.get::<Configuration>(&tenant).await?.state;
    Ok(effective(Key::IdentitySessionIdleHours, &configuration, &[]).value.integer())
}

impl LoadFacts<ApiKey> for api_key::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        state: &ApiKey,
        command: &api_key::Command,
    ) -> Result<Self, Problem> {
        let user_id = match command {
            api_key::Command::Create(create) => create.owner_id,
            api_key::Command::Rotate(_) => state.owner_id,
            api_key::Command::Rename(_)
            | api_key::Command::Revoke(_)
            | api_key::Command::AnnounceEnd => return Ok(Self::default()),
        };
        let owner = sources.now::<User>(&user_id.to_string()).await?.state;
        let known = user::Facts { user_id, ..user::Facts::default() };
        let owner_is_active = owner.status == user::Status::Active;
        Ok(Self { owner: reach(sources, known).await?, owner_is_active })
    }
}

impl LoadFacts<Issuer> for issuer::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        _: &Issuer,
        _: &issuer::Command,
    ) -> Result<Self, Problem> {
        let everything = sources.standing.is_some_and(|it| it.effective.is_everything());
        Ok(Self { loopback: sources.app.settings.loopback_issuers, everything })
    }
}

impl LoadFacts<Organization> for organization::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        _: &Organization,
        _: &organization::Command,
    ) -> Result<Self, Problem> {
        Ok(Self { purge_delay_seconds: sources.app.settings.purge_delay_seconds })
    }
}
