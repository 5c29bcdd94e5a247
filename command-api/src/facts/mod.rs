//! What decisions need to know of other streams, read with the versions that the append will check.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::identity::api_key::ApiKey;
use events::identity::issuer::Issuer;
use events::identity::organization::Organization;
use events::identity::session::Session;
use events::identity::user::{self, User};
use events::rbac::policy::{self, Policy, Touched};
use events::rbac::resolve::effect::Effect;
use events::rbac::user_access::{self, UserAccess};
use events::settings::configuration::{self, Configuration, Scope};
use events::{Context, Decider, TenantId, UnitId, UserId};
use platform::access::Standing;
use platform::fold::{Folded, every};
use platform::principal::Principal;
use platform::problem::Problem;

use crate::app::App;
use crate::draft::Draft;
use crate::log::{EVERY, Fact, StreamWrite};

mod identity;
mod subject;

pub(crate) use identity::idle_hours;

/// Where facts are read from, and the versions they were found at.
pub(crate) struct Sources<'a> {
    pub(crate) app: &'a App,
    pub(crate) tenant: TenantId,
    pub(crate) standing: Option<&'a Standing>,
    /// Whoever gives the command, where somebody does.
    pub(crate) principal: Option<&'a Principal>,
    found: Vec<Fact>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(app: &'a App, tenant: TenantId, standing: Option<&'a Standing>) -> Self {
        Self { app, tenant, standing, principal: None, found: Vec::new() }
    }

    /// For a command of theirs.
    pub(crate) fn asked_by(self, principal: &'a Principal) -> Self {
        Self { principal: Some(principal), ..self }
    }

    /// Another stream's aggregate; its version becomes a fact of the append.
    pub(crate) async fn get<D: Decider>(&mut self, id: &str) -> Result<Folded<D>, Problem> {
        let folded = self
            .app
            .aggregates
            .get::<D>(self.tenant, id)
            .await
            .map_err(|e| Problem::internal(&e))?;
        self.found.push(Fact::of::<D>(id, folded.version));
        Ok(folded)
    }

    /// Another stream's aggregate as the log has it now, for streams that no retry would look at again.
    pub(crate) async fn now<D: Decider>(&mut self, id: &str) -> Result<Folded<D>, Problem> {
        let folded = self.app.aggregates.refresh::<D>(self.tenant, id).await;
        let folded = folded.map_err(|error| Problem::internal(&error))?;
        self.found.push(Fact::of::<D>(id, folded.version));
        Ok(folded)
    }

    /// Every aggregate of a kind; that none of them changes and none comes becomes a fact of the append.
    pub(crate) async fn all<D: Decider>(&mut self) -> Result<Vec<(String, D)>, Problem> {
        let all = every::<D>(&self.app.pool, self.tenant).await;
        let (all, version) = all.map_err(|error| Problem::internal(&error))?;
        self.found.push(Fact::of::<D>(EVERY, version));
        Ok(all)
    }

    /// Everybody's roles.
    async fn everybodys_access(&mut self) -> Result<Vec<(UserId, Arc<UserAccess>)>, Problem> {
        let everybody = self.all::<UserAccess>().await?;
        let parsed = |(id, access): (String, UserAccess)| Some((id.parse().ok()?, access.into()));
        Ok(everybody.into_iter().filter_map(parsed).collect())
    }

    /// Those of these users who may not sign in.
    pub(crate) async fn inactive(
        &mut self,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<BTreeSet<UserId>, Problem> {
        let mut inactive = BTreeSet::new();
        for user in users {
            if self.now::<User>(&user.to_string()).await?.state.status != user::Status::Active {
                inactive.insert(user);
            }
        }
        Ok(inactive)
    }

    async fn user_exists(&mut self, user: Option<UserId>) -> Result<bool, Problem> {
        match user {
            Some(user) => Ok(self.get::<User>(&user.to_string()).await?.version > 0),
            None => Ok(false),
        }
    }

    async fn unit_path(&mut self, unit: Option<UnitId>) -> Result<Vec<UnitId>, Problem> {
        match unit {
            Some(unit) => {
                let organization = self.get::<Organization>(&self.tenant.to_string()).await?;
                Ok(organization.state.path(unit))
            }
            None => Ok(Vec::new()),
        }
    }

    fn caller(&self) -> Option<UserId> {
        self.standing.map(|standing| standing.user_id)
    }

    /// The roles of the caller; where they moved on since the standing was found, the append will say so.
    async fn actor_access(&mut self) -> Result<Arc<UserAccess>, Problem> {
        match self.standing {
            Some(standing) => {
                Ok(self.get::<UserAccess>(&standing.user_id.to_string()).await?.state)
            }
            None => Ok(Arc::default()),
        }
    }

    /// The facts found, and the caller's standing itself: a revocation holds from the next command.
    pub(crate) fn into_facts(self) -> Vec<Fact> {
        let mut facts = self.found;
        let mut add = |fact: Fact| {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        };
        if let Some(standing) = self.standing {
            let user = standing.user_id.to_string();
            add(Fact::of::<Policy>(self.tenant.to_string(), standing.versions.policy));
            add(Fact::of::<UserAccess>(user.clone(), standing.versions.access));
            add(Fact::of::<User>(user, standing.user.version));
            let organization = standing.organization.version;
            add(Fact::of::<Organization>(self.tenant.to_string(), organization));
            if let Some((id, session)) = &standing.session {
                add(Fact::of::<Session>(id, session.version));
            }
            if let Some(key) = &standing.key {
                add(Fact::of::<ApiKey>(&key.id, key.folded.version));
            }
            if let Some((id, issuer)) = &standing.issuer {
                add(Fact::of::<Issuer>(id, issuer.version));
            }
        }
        facts
    }
}

/// Reads an aggregate's facts for one command.
pub(crate) trait LoadFacts<D: Decider>: Sized + Send {
    /// The facts for `command`, to be decided by the aggregate `id` in `state`.
    fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &D,
        command: &D::Command,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;

    /// What the change from one state to another would come to for people's access; for a dry run.
    fn effect(
        _: &mut Sources<'_>,
        _id: &str,
        _change: (&D, &D),
    ) -> impl Future<Output = Result<Option<Effect>, Problem>> + Send {
        async { Ok(None) }
    }

    /// What is stored because of a decision, in one append: mostly what was decided, and nothing else.
    fn streams(
        sources: &mut Sources<'_>,
        draft: &Draft<D>,
        context: &Context,
    ) -> impl Future<Output = Result<Vec<StreamWrite>, Problem>> + Send {
        let (_, _, streams) = (sources, context, vec![draft.write()]);
        async { Ok(streams) }
    }
}

impl<D: Decider<Facts = ()>> LoadFacts<D> for ()
where
    D::Command: Sync,
{
    async fn load(_: &mut Sources<'_>, _: &str, _: &D, _: &D::Command) -> Result<Self, Problem> {
        Ok(())
    }
}

impl LoadFacts<Policy> for policy::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        state: &Policy,
        command: &policy::Command,
    ) -> Result<Self, Problem> {
        let user_exists = match grantee(command) {
            Some(user) => sources.now::<User>(&user.to_string()).await?.version > 0,
            None => false,
        };
        let unit_path = sources.unit_path(state.unit_of(command)).await?;
        let actor_access = sources.actor_access().await?;
        let holders = match state.touched_by(command) {
            Touched::Nobody => Vec::new(),
            Touched::User(user) => {
                let access = sources.now::<UserAccess>(&user.to_string()).await?;
                vec![(user, access.state)]
            }
            Touched::Everybody => sources.everybodys_access().await?,
        };
        let inactive = if state.may_cost_an_administrator(command) {
            sources.inactive(state.administrators()).await?
        } else {
            BTreeSet::new()
        };
        Ok(Self { actor_access, unit_path, user_exists, holders, inactive })
    }

    async fn effect(
        sources: &mut Sources<'_>,
        _: &str,
        change: (&Policy, &Policy),
    ) -> Result<Option<Effect>, Problem> {
        crate::rbac::effect::of_policy(sources, change).await.map(Some)
    }
}

impl LoadFacts<UserAccess> for user_access::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        _: &UserAccess,
        command: &user_access::Command,
    ) -> Result<Self, Problem> {
        let user_id: UserId = id.parse().map_err(|_| Problem::absent("user"))?;
        let user_exists = sources.user_exists(Some(user_id)).await?;
        let unit_path = sources.unit_path(command.unit()).await?;
        let tenant = sources.tenant.to_string();
        let policy = sources.get::<Policy>(&tenant).await?.state;
        let actor_access = sources.actor_access().await?;
        Ok(Self { user_id, user_exists, policy, actor_access, unit_path })
    }

    async fn effect(
        sources: &mut Sources<'_>,
        id: &str,
        change: (&UserAccess, &UserAccess),
    ) -> Result<Option<Effect>, Problem> {
        crate::rbac::effect::of_user(sources, id, change).await.map(Some)
    }
}

impl LoadFacts<Configuration> for configuration::Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        _: &Configuration,
        command: &configuration::Command,
    ) -> Result<Self, Problem> {
        let scope = Scope::of(sources.tenant, id).ok_or_else(|| Problem::absent("scope"))?;
        let of_unit = matches!(scope, Scope::Unit(_));
        let organization = if of_unit || command.names_units() {
            sources.get::<Organization>(&sources.tenant.to_string()).await?.state
        } else {
            Arc::default()
        };
        Ok(Self { scope, organization })
    }
}

/// The user that a command for the policy gives something to; who loses something need not exist any longer.
fn grantee(command: &policy::Command) -> Option<UserId> {
    if let policy::Command::GrantProtectedRole { user_id, .. } = command {
        Some(*user_id)
    } else {
        None
    }
}

impl App {
    /// Reads again what decisions about `id` may have leaned on.
    pub(crate) async fn refresh_facts(&self, tenant: TenantId, id: &str) -> Result<(), Problem> {
        let tenant_id = tenant.to_string();
        let failed = |error| Problem::internal(&error);
        self.aggregates.refresh::<Organization>(tenant, &tenant_id).await.map_err(failed)?;
        self.aggregates.refresh::<Policy>(tenant, &tenant_id).await.map_err(failed)?;
        self.aggregates.refresh::<Configuration>(tenant, &tenant_id).await.map_err(failed)?;
        self.aggregates.refresh::<User>(tenant, id).await.map_err(failed)?;
        Ok(())
    }
}
