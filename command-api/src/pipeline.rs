//! How every command is carried out: standing, permission, state, facts, decision, append; again when something moved on.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use events::envelope::meta;
use events::{ActorKind, Context, Decider, Permission, TenantId, UserId};
use platform::access::{self, Standing};
use platform::clock;
use platform::fold::{self, Folded, SNAPSHOT_EVERY};
use platform::http::RequestFacts;
use platform::limits::Quota;
use platform::principal::Principal;
use platform::problem::Problem;
use platform::routes::Access;
use serde::Serializer as _;
use uuid::Uuid;

use crate::answer::{Answer, Carried, Happened, Header, Place};
use crate::app::App;
use crate::draft::{Draft, Undecided};
use crate::facts::{LoadFacts, Sources};
use crate::guard::Spot;
use crate::keys::Manner;
use crate::log::{Append, Outcome, Stored};
use crate::refusal::{busy, key_reused, refused};
use crate::registry::Incoming;
use crate::since::Moved;
use crate::told::{About, Told};

/// How often a decision is made again because what it leaned on moved on.
pub(crate) const MAX_ATTEMPTS: u32 = 32;

/// Who asks for what, and how it is to be taken.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) principal: Arc<Principal>,
    pub(crate) operation: &'static str,
    pub(crate) access: Access,
    pub(crate) status: u16,
    pub(crate) facts: Arc<RequestFacts>,
    pub(crate) manner: Manner,
    /// How often one user may ask this, besides the limit of all their requests.
    pub(crate) quota: Option<Quota>,
    /// The caller's standing as found on admission, which the first attempt leans on.
    pub(crate) standing: Option<Standing>,
    /// Whose address and program these are, where the caller is nobody's user yet.
    pub(crate) person: Option<Uuid>,
}

/// The aggregate a command is for.
pub(crate) struct Target<D: Decider> {
    pub(crate) id: String,
    /// What to do, one after the other and all in one append.
    pub(crate) commands: Vec<D::Command>,
    /// Whether it is expected not to exist yet: then the log is not asked first, the append says otherwise if so.
    pub(crate) is_new: bool,
    /// What its answer tells besides what happened, the first time and every other.
    pub(crate) told: Told,
    /// Permissions that this command needs besides its route's.
    pub(crate) needs: Vec<Permission>,
    /// Where it acts, for a route whose permission may be held in a unit alone.
    pub(crate) spots: Vec<Spot>,
    /// Permissions that are enough there.
    pub(crate) guards: Vec<(Permission, Spot)>,
    /// For a record that belongs to somebody: whose it is, and what everybody else needs.
    pub(crate) owners: Vec<Owner<D>>,
    /// Event types after which the commands mean what they meant before.
    pub(crate) commutes: &'static [&'static str],
}

/// Whose record it is.
pub(crate) struct Owner<D> {
    /// The owner's id, read off the state.
    pub(crate) of: fn(&D) -> Option<UserId>,
    /// What others need to act on it.
    pub(crate) others_need: Permission,
}

impl<D: Decider> Target<D> {
    /// No command yet for an existing aggregate.
    pub(crate) fn of(id: impl std::fmt::Display) -> Self {
        Self {
            id: format!("{id}"),
            commands: Vec::new(),
            is_new: false,
            told: Told::default(),
            needs: Vec::new(),
            spots: Vec::new(),
            guards: Vec::new(),
            owners: Vec::new(),
            commutes: &[],
        }
    }

    /// A command for an existing aggregate.
    pub(crate) fn new(id: impl std::fmt::Display, command: D::Command) -> Self {
        Self { commands: vec![command], ..Self::of(id) }
    }

    /// A command that brings an aggregate into being.
    pub(crate) fn create(id: impl std::fmt::Display, command: D::Command) -> Self {
        Self { is_new: true, ..Self::new(id, command) }
    }

    /// Several for the same aggregate as one, with everything that each of them needs.
    pub(crate) fn together(
        targets: impl IntoIterator<Item = Result<Self, Problem>>,
    ) -> Result<Self, Problem> {
        let joined = |whole: Self, next: Result<Self, Problem>| {
            let (mut whole, next) = (whole, next?);
            whole.commands.extend(next.commands);
            whole.needs.extend(next.needs);
            whole.guards.extend(next.guards);
            whole.owners.extend(next.owners);
            whole.commutes = &[];
            Ok(whole)
        };
        let mut targets = targets.into_iter();
        let first = targets.next().unwrap_or_else(|| Err(Problem::internal(&"nothing to do")))?;
        targets.try_fold(first, joined)
    }

    /// With where the result can be queried, below `/api/v1`; see [`Told::location`].
    pub(crate) fn at(self, location: &'static str) -> Self {
        Self { told: Told { location: Some(location), ..self.told }, ..self }
    }

    /// Beginning work that goes on below `/jobs`.
    pub(crate) fn working(self) -> Self {
        Self { told: Told { job: true, ..self.told }, ..self }
    }
}

/// How one attempt ended.
enum Attempt {
    Done(Carried),
    /// Something the decision leaned on moved on.
    Again,
    Refused(Problem),
}

impl Ask {
    /// The installation itself asks: by its bootstrap token, or for somebody who is nobody here yet.
    pub(crate) fn installation(
        context: &Context,
        request: &Incoming,
        operation: &'static str,
    ) -> Self {
        let principal = Principal {
            tenant: context.tenant,
            actor: context.actor.clone(),
            expires_at: context.now,
            key: None,
            through: None,
        };
        Self {
            principal: Arc::new(principal),
            operation,
            access: Access::Bootstrap,
            status: 201,
            facts: Arc::clone(&request.facts),
            manner: Manner::default(),
            quota: None,
            standing: None,
            person: None,
        }
    }

    /// Taken as its request says: under its key, on its version, dry perhaps.
    pub(crate) fn taken(self, app: &App, request: &Incoming) -> Result<Self, Problem> {
        let manner = request.manner(app, &self.principal, self.operation)?;
        Ok(Self { manner, ..self })
    }

    /// The context of a decision made now.
    pub(crate) fn context(&self) -> Context {
        Context {
            tenant: self.principal.tenant,
            actor: self.principal.actor.clone(),
            now: clock::now(),
            scope: self.principal.key.as_ref().map(|key| key.scope.clone()),
        }
    }

    /// What is stored beside every event of this command.
    pub(crate) fn metadata<'a>(&'a self, facts: &[crate::log::Fact]) -> String {
        let actor = &self.principal.actor;
        let kind: &'static str = actor.kind.into();
        let id = |id: Option<Uuid>| id.map(|id| Cow::Owned(id.to_string()));
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        let mut leant = String::new();
        for fact in facts {
            let space = if leant.is_empty() { "" } else { " " };
            let _always_ok = write!(leant, "{space}{}/{}@{}", fact.kind, fact.id, fact.version);
        }
        // In the order of their names, and borrowed as far as may be: this is made for every command.
        let members = [
            (meta::ACTOR_ID, Some(Cow::Borrowed(&*actor.id))),
            (meta::ACTOR_KIND, Some(kind.into())),
            (meta::API_KEY_ID, id(actor.api_key_id.map(|it| it.0))),
            (meta::CAUSATION_ID, text(&self.facts.causation_id)),
            (meta::COMMAND, Some(self.operation.into())),
            (meta::CORRELATION_ID, Some(self.facts.correlation_id().into())),
            (meta::FACTS, (!leant.is_empty()).then_some(leant.into())),
            (meta::IDEMPOTENCY_KEY, self.manner.key.as_ref().map(|(key, _)| (&**key).into())),
            (meta::IP, self.facts.ip.map(|ip| ip.to_string().into())),
            (meta::ON_BEHALF_OF, id(actor.on_behalf_of.map(|it| it.0))),
            (meta::REQUEST_ID, Some((&*self.facts.request_id).into())),
            (meta::SESSION_ID, id(actor.session_id.map(|it| it.0))),
            (meta::THROUGH, self.principal.through.map(|it| Cow::Owned(it.to_string()))),
            (meta::TRACEPARENT, text(&self.facts.traceparent)),
            (meta::USER_AGENT, text(&self.facts.user_agent)),
        ];
        let known = members.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let mut json = Vec::with_capacity(512);
        let written = serde_json::Serializer::new(&mut json).collect_map(known);
        written.ok().and_then(|()| String::from_utf8(json).ok()).unwrap_or_else(|| "{}".into())
    }
}

impl App {
    /// Lets a caller in who may, before the body is looked at.
    pub(crate) async fn admit(&self, ask: &mut Ask) -> Result<(), Problem> {
        if let Ok(standing) = self.permitted(ask).await {
            ask.standing = standing;
            return self.count(ask);
        }
        // What is kept here may be older than a grant that another process stored.
        self.access.refresh(&ask.principal).await.map_err(|error| Problem::internal(&error))?;
        match self.permitted(ask).await {
            Ok(standing) => {
                ask.standing = standing;
                self.count(ask)
            }
            Err(problem) => Err(self.record_denial(ask, problem).await),
        }
    }

    /// Counts a request against the caller's limits; one that is turned away by its rights does not count.
    fn count(&self, ask: &Ask) -> Result<(), Problem> {
        ask.facts.notes.spent(self.limits.admit(&ask.principal, ask.quota)?);
        Ok(())
    }

    /// The caller's standing, if it is enough.
    async fn permitted(&self, ask: &Ask) -> Result<Option<Standing>, Problem> {
        let principal = &ask.principal;
        let standing =
            self.access.last_known(principal).await.map_err(|error| Problem::internal(&error))?;
        match (principal.actor.kind, &standing) {
            (ActorKind::User, Some(standing)) if principal.is_away() => standing.check_owner()?,
            (ActorKind::User, Some(standing)) => standing.check_session(clock::now())?,
            (ActorKind::User, None) => {
                return Err(Problem::token_refused("the token names no user"));
            }
            (ActorKind::Service | ActorKind::System, _) => {}
        }
        if let Access::InPerson(_) = ask.access {
            access::in_person(principal)?;
        }
        match ask.access {
            Access::InUnit(permission) => {
                self.check_somewhere(ask, standing.as_ref(), permission).await?;
            }
            Access::Shared(permission) => {
                access::check_shared(principal, standing.as_ref(), permission)?;
            }
            Access::Needs(_)
            | Access::InPerson(_)
            | Access::Public
            | Access::SignedIn
            | Access::Bootstrap => {
                let needed = ask.access.permission();
                needed.map_or(Ok(()), |it| access::authorize(principal, standing.as_ref(), it))?;
            }
        }
        Ok(standing)
    }

    /// Carries out the command that `build` makes, once, whatever happens in between.
    pub(crate) async fn execute<D>(
        &self,
        ask: &Ask,
        build: impl Fn() -> Result<Target<D>, Problem>,
    ) -> Result<Carried, Problem>
    where
        D: Decider,
        D::Facts: LoadFacts<D>,
    {
        let mut fresh = false;
        for _ in 0..MAX_ATTEMPTS {
            let target = build()?;
            let (id, told) = (target.id.clone(), target.told);
            let known = ask.standing.clone().filter(|_| !fresh);
            match self.attempt(ask, known, target).await? {
                Attempt::Done(carried) => return Ok(carried),
                Attempt::Refused(problem) if fresh => {
                    let about = About { kind: D::TYPE, id: &id, told };
                    return self.refuse(ask, about, problem).await.map(Carried::Again);
                }
                // A refusal may rest on what is kept here; before it counts, everything is read again.
                Attempt::Refused(_) | Attempt::Again => {
                    fresh = true;
                    self.refresh::<D>(ask, &id).await?;
                }
            }
        }
        Err(busy())
    }

    async fn refresh<D: Decider>(&self, ask: &Ask, id: &str) -> Result<(), Problem> {
        let tenant = ask.principal.tenant;
        self.access.refresh(&ask.principal).await.map_err(|error| Problem::internal(&error))?;
        self.refresh_facts(tenant, id).await?;
        self.aggregates
            .refresh::<D>(tenant, id)
            .await
            .map_err(|error| Problem::internal(&error))?;
        Ok(())
    }

    /// Decides and appends once; `known` is the caller's standing, if it has just been found to be enough.
    async fn attempt<D>(
        &self,
        ask: &Ask,
        known: Option<Standing>,
        target: Target<D>,
    ) -> Result<Attempt, Problem>
    where
        D: Decider,
        D::Facts: LoadFacts<D>,
    {
        let standing = match known {
            Some(standing) => Some(standing),
            None => match self.permitted(ask).await {
                Ok(standing) => standing,
                Err(problem) => return Ok(Attempt::Refused(problem)),
            },
        };
        let tenant = ask.principal.tenant;
        let folded = self.state(ask, &target).await?;
        if let Err(problem) = ask.manner.check_version(folded.version) {
            let moved = Moved { kind: D::TYPE, id: &target.id, commutes: target.commutes };
            let told = self.told(ask, standing.as_ref(), &moved, problem).await?;
            return Ok(Attempt::Refused(told));
        }
        if let Err(problem) = target.check(ask, standing.as_ref(), &folded.state) {
            return Ok(Attempt::Refused(problem));
        }
        if let Err(problem) = self.check_guards(ask, standing.as_ref(), &target.guards).await {
            return Ok(Attempt::Refused(problem));
        }
        let began = Instant::now();
        let mut sources = Sources::new(self, tenant, standing.as_ref()).asked_by(&ask.principal);
        let base = folded.version;
        let mut draft = Draft::new(target.id, &folded);
        for command in target.commands {
            let facts = D::Facts::load(&mut sources, draft.id(), draft.state(), &command).await?;
            match draft.decide(command, facts, &ask.context()).await {
                Ok(_) => {}
                Err(Undecided::Refused(rejection)) => {
                    return Ok(Attempt::Refused(refused(&rejection)));
                }
                Err(Undecided::Failed(problem)) => return Err(*problem),
            }
        }
        ask.facts.notes.phase("decide", began);
        let streams = D::Facts::streams(&mut sources, &draft, &ask.context()).await?;
        if ask.manner.validate_only || draft.is_empty() {
            let answer = uncommitted::<D>(ask, &mut sources, &*folded.state, &draft).await?;
            let carried =
                if ask.manner.validate_only { Carried::Dry(answer) } else { Carried::Done(answer) };
            return Ok(Attempt::Done(carried));
        }
        let facts_used = sources.into_facts();
        let mut append = Append::of(tenant, streams, ask.metadata(&facts_used));
        append.key.clone_from(&ask.manner.key);
        append.facts = facts_used;
        let began = Instant::now();
        let outcome = self.append(ask, append).await?;
        ask.facts.notes.phase("append", began);
        match outcome {
            Outcome::Stored(stored) => {
                let answer = committed(self, ask, &draft, target.told, &stored);
                let (id, folded) = draft.into_folded();
                self.remember(tenant, &id, folded, base);
                Ok(Attempt::Done(Carried::Done(answer)))
            }
            Outcome::Replayed { first, last } => {
                let answer = self.replay(ask, (first, last), target.told).await?;
                Ok(Attempt::Done(Carried::Again(answer)))
            }
            Outcome::KeyReused => Err(key_reused()),
            Outcome::StaleVersion | Outcome::StaleFact => Ok(Attempt::Again),
            Outcome::Claimed { namespace, .. } => {
                Ok(Attempt::Refused(crate::refusal::claimed(&namespace)))
            }
        }
    }
}

impl App {
    /// The aggregate as far as it is known here; a new one is not looked for.
    async fn state<D: Decider>(&self, ask: &Ask, target: &Target<D>) -> Result<Folded<D>, Problem> {
        let (tenant, began) = (ask.principal.tenant, Instant::now());
        let folded = match self.aggregates.kept(tenant, &target.id) {
            Some(kept) => kept,
            None if target.is_new => Folded::default(),
            None => self
                .aggregates
                .refresh(tenant, &target.id)
                .await
                .map_err(|error| Problem::internal(&error))?,
        };
        ask.facts.notes.phase("load", began);
        Ok(folded)
    }

    /// Keeps what an append made of an aggregate that stood at version `base` before.
    fn remember<D: Decider>(&self, tenant: TenantId, id: &str, folded: Folded<D>, base: i64) {
        let grown = folded.version / SNAPSHOT_EVERY > base / SNAPSHOT_EVERY;
        if grown && !fold::is_personal::<D>() {
            self.start_snapshot(tenant, id.to_owned(), folded.clone());
        }
        self.aggregates.keep::<D>(tenant, id, folded);
    }

    /// Keeps a snapshot beside the request; a failure costs time at the next cold read, nothing else.
    fn start_snapshot<D: Decider>(&self, tenant: TenantId, id: String, folded: Folded<D>) {
        let pool = self.pool.clone();
        platform::lifecycle::detach(async move {
            if let Err(error) = fold::snapshot(&pool, tenant, &id, &folded).await {
                tracing::warn!(%error, aggregate = D::TYPE, "no snapshot was kept");
            }
        });
    }
}

async fn uncommitted<D>(
    ask: &Ask,
    sources: &mut Sources<'_>,
    before: &D,
    draft: &Draft<D>,
) -> Result<Answer, Problem>
where
    D: Decider,
    D::Facts: LoadFacts<D>,
{
    let effect = if ask.manner.validate_only {
        D::Facts::effect(sources, draft.id(), (before, draft.state())).await?
    } else {
        None
    };
    let place = Place { id: draft.id().to_owned(), version: draft.version() };
    let events = draft.drafted_with_data();
    let status = if draft.is_empty() { 200 } else { ask.status };
    let header = Header { status, ..Header::default() };
    // Nothing to change is as good as done; a dry run is not.
    Ok(Answer {
        committed: !ask.manner.validate_only,
        aggregate: place,
        events,
        effect,
        position: None,
        visible_in: None,
        pending_in: None,
        header,
    })
}

fn committed<D: Decider>(
    app: &App,
    ask: &Ask,
    draft: &Draft<D>,
    told: Told,
    stored: &Stored,
) -> Answer {
    let answer = Answer {
        committed: true,
        aggregate: Place { id: draft.id().to_owned(), version: draft.version() },
        events: draft.drafted().into_iter().map(Happened::from).collect(),
        effect: None,
        position: None,
        visible_in: None,
        pending_in: None,
        header: Header { status: ask.status, ..Header::default() },
    };
    told.tell(answer, draft.payloads()).at(
        app,
        ask.principal.tenant,
        stored.epoch,
        stored.last_position,
    )
}
