//! Routes for invitations: sending them, which shows the token to the sender; accepting one, which needs its token only; revoking.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use events::identity::invitation::{self, Accept, Command, Invitation, Issue, needed};
use events::identity::user::Register;
use events::rbac::Assignment;
use events::rbac::user_access::{self, UserAccess};
use events::{
    Actor, ActorKind, Context, Decider as _, InvitationId, Module, Permission, RoleId, SecretId,
    TenantId, UnitId, UserId,
};
use jiff::Timestamp;
use platform::bearer::INVITATION;
use platform::clock;
use platform::fold::Folded;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use platform::secrets::{MasterKey, fingerprint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::joining::default_access;
use super::users::{self, default_locale, default_time_zone};
use crate::answer::{Carried, WithToken};
use crate::app::App;
use crate::draft::Draft;
use crate::facts::{LoadFacts as _, Sources};
use crate::log::{Append, Outcome, StreamWrite};
use crate::pipeline::{Ask, MAX_ATTEMPTS, Target};
use crate::refusal::{busy, key_reused, refused};
use crate::registry::{Given, Incoming, Nothing, Registry};
use crate::told::{About, Told};

const ACCEPT: &str = "identity_invitation_accept";

/// Somebody to invite.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Invite {
    /// The invitation's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<InvitationId>,
    /// Where the invitation goes; one open invitation for an address.
    email: String,
    /// The roles that the invitee will have; you must be allowed to assign each of them.
    #[serde(default)]
    roles: Vec<Promised>,
    /// What you add.
    #[serde(default)]
    message: Option<String>,
}

/// A role that an invitee will have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Promised {
    /// The role.
    role_id: RoleId,
    /// Where it counts; everywhere when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// Until when; for good when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// Who accepts an invitation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    /// The token of the invitation.
    token: String,
    /// The name to sign in with, unique in the organisation.
    handle: String,
    /// The name to show; the handle when absent.
    #[serde(default)]
    display_name: Option<String>,
    /// The password: 12 characters or more.
    password: String,
    /// Language and region, a BCP 47 tag.
    #[serde(default = "default_locale")]
    locale: String,
    /// Time zone, an IANA name.
    #[serde(default = "default_time_zone")]
    time_zone: String,
}

/// An invitee who is a user now.
#[derive(Serialize, JsonSchema)]
struct Joined {
    /// The organisation.
    tenant_id: TenantId,
    /// The user.
    user_id: UserId,
    /// Last position of what was stored.
    position: i64,
}

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::IdentityInvitationsManage);
    let issue = manage(Route::post("/invitations", Module::Identity, "identity_invitation_issue"))
        .summary("invite somebody by e-mail; the answer shows the token, to be passed on")
        .takes::<Invite>()
        .answers::<WithToken>(201);
    registry.handled(issue, invite);
    let resend = "/invitations/{invitation_id}/resend";
    let resend = manage(Route::post(resend, Module::Identity, "identity_invitation_resend"))
        .summary("send an invitation again, with a new token; the one before is dead")
        .takes::<Nothing>()
        .answers::<WithToken>(200);
    registry.handled(resend, send_again);
    let accept = Route::post("/invitations/accept", Module::Identity, ACCEPT)
        .summary("accept an invitation by its token: makes you a user with the promised roles")
        .access(Access::Public)
        .takes::<Acceptance>()
        .answers::<Joined>(201);
    registry.special(accept, |State(app): State<Arc<App>>, request: Incoming| async move {
        join(&app, &request).await.map(|joined| (StatusCode::CREATED, axum::Json(joined)))
    });
    let path = "/invitations/{invitation_id}";
    registry.command::<Nothing, Invitation>(
        manage(Route::delete(path, Module::Identity, "identity_invitation_revoke"))
            .summary("take an invitation back"),
        |call| {
            let id: InvitationId = call.id("invitation_id")?;
            Ok(Target::new(id, Command::Revoke))
        },
    );
    let path = "/invitations/{invitation_id}/expire";
    registry.command::<Nothing, Invitation>(
        Route::post(path, Module::Identity, "identity_invitation_expire")
            .needs(Permission::IdentityInvitationsExpire)
            .summary("record that an invitation has reached its end; its address is free then"),
        |call| {
            let id: InvitationId = call.id("invitation_id")?;
            Ok(Target::new(id, Command::Expire))
        },
    );
}

async fn invite(app: Arc<App>, given: Arc<Given>) -> Result<WithToken, Problem> {
    let Given { request, ask } = &*given;
    let body: Invite = request.json()?;
    let id = body.id.unwrap_or_else(clock::new_id);
    let roles = body.roles.iter().map(|promised| {
        let Promised { role_id, unit_id, expires_at } = *promised;
        Assignment { role_id, unit_id, expires_at }
    });
    let issue = Issue { email: body.email, roles: roles.collect(), message: body.message };
    let carried = app.execute(ask, || {
        let target = Target::<Invitation>::create(id, Command::Issue(issue.clone()));
        let target = target.at("/invitations/{id}");
        Ok(Target { needs: needed(&issue.roles), ..target })
    });
    carried.await.and_then(|carried| shown(&app, ask, carried))
}

async fn send_again(app: Arc<App>, given: Arc<Given>) -> Result<WithToken, Problem> {
    let Given { request, ask } = &*given;
    let Nothing {} = request.json()?;
    let id: InvitationId = request.id("invitation_id")?;
    // What was promised stays as it was when the invitation was issued.
    let known = app
        .aggregates
        .refresh::<Invitation>(ask.principal.tenant, &id.to_string())
        .await
        .map_err(|error| Problem::internal(&error))?;
    let carried = app.execute(ask, || {
        let needs = needed(&known.state.roles);
        Ok(Target { needs, ..Target::<Invitation>::new(id, Command::Resend) })
    });
    carried.await.and_then(|carried| shown(&app, ask, carried))
}

/// The answer with the token of the sending that it tells of: the first makes version 1, and every further one the next.
fn shown(app: &App, ask: &Ask, carried: Carried) -> Result<WithToken, Problem> {
    let answer = match carried {
        Carried::Dry(answer) => return Ok(WithToken { answer, token: None }),
        Carried::Done(answer) | Carried::Again(answer) => answer,
    };
    let place = &answer.aggregate;
    let token = token(&app.master, ask.principal.tenant, &place.id, place.version)?;
    Ok(WithToken { answer, token: Some(token) })
}

/// The token of one sending. It follows from the master key, so a repeated request is answered with it though it is kept nowhere.
fn token(master: &MasterKey, tenant: TenantId, id: &str, sending: i64) -> Result<String, Problem> {
    let id: InvitationId = id.parse().map_err(|_| Problem::absent("invitation"))?;
    Ok(INVITATION.make(master, tenant, id.0, sending))
}

/// SHA-256 of the token of one sending, for its event.
pub(crate) fn next_digest(
    master: &MasterKey,
    tenant: TenantId,
    id: &str,
    sending: i64,
) -> Result<String, Problem> {
    token(master, tenant, id, sending).map(|token| fingerprint(&token))
}

async fn join(app: &App, request: &Incoming) -> Result<Joined, Problem> {
    let body: Acceptance = request.json()?;
    let unknown = || refused(&invitation::Rejection::TokenUnknown);
    let (tenant, id) = INVITATION.named(&body.token).ok_or_else(unknown)?;
    let known = invited(app, tenant, id).await?;
    let presented_sha256 = fingerprint(&body.token);
    // A guess is not kept: nobody fills the log of an organisation without a token of its own.
    if !known.state.is_token(&presented_sha256) {
        return Err(unknown());
    }
    app.check_at_work(tenant).await?;
    let actor = Actor {
        kind: ActorKind::System,
        id: "invitation".into(),
        session_id: None,
        on_behalf_of: Some(known.state.invited_by),
        api_key_id: None,
    };
    let context = Context { tenant, actor, now: clock::now(), scope: None };
    let ask = Ask { person: Some(id.0), ..Ask::installation(&context, request, ACCEPT) };
    let joining = Joining { app, ask: &ask, id, body: &body, presented_sha256 };
    match joining.carry_out(&known).await {
        Ok(joined) => Ok(joined),
        Err(problem) if problem.status >= 500 => Err(problem),
        Err(problem) => {
            let told = Told::default();
            let about = About { kind: Invitation::TYPE, id: &id.to_string(), told };
            let kept = app.refuse(&ask, about, problem).await;
            Err(kept.err().unwrap_or_else(busy))
        }
    }
}

async fn invited(
    app: &App,
    tenant: TenantId,
    id: InvitationId,
) -> Result<Folded<Invitation>, Problem> {
    let known = app.aggregates.refresh::<Invitation>(tenant, &id.to_string()).await;
    known.map_err(|error| Problem::internal(&error))
}

/// One acceptance, by somebody who has the token.
struct Joining<'a> {
    app: &'a App,
    ask: &'a Ask,
    id: InvitationId,
    body: &'a Acceptance,
    presented_sha256: String,
}

impl Joining<'_> {
    /// Makes the user, whatever happens in between.
    async fn carry_out(&self, known: &Folded<Invitation>) -> Result<Joined, Problem> {
        // A password is hashed for an invitation that can be accepted only: it takes its time.
        let open = known.state.check(&self.presented_sha256, clock::now());
        open.map_err(|rejection| refused(&rejection))?;
        let secret_id = self.app.keep_password(self.ask, &self.body.password, "/password").await?;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(joined) = self.attempt(secret_id).await? {
                return Ok(joined);
            }
        }
        Err(busy())
    }

    /// Decides on what the log has now and appends once: the acceptance, the user and their roles, or nothing.
    async fn attempt(&self, secret_id: SecretId) -> Result<Option<Joined>, Problem> {
        let (app, tenant) = (self.app, self.ask.principal.tenant);
        let known = invited(app, tenant, self.id).await?;
        self.refresh(known.state.invited_by).await?;
        let user_id: UserId = clock::new_id();
        let presented_sha256 = self.presented_sha256.clone();
        let accept = Command::Accept(Accept { presented_sha256, user_id });
        let (id, context) = (self.id.to_string(), self.ask.context());
        let mut sources = Sources::new(app, tenant, None);
        let facts = invitation::Facts::load(&mut sources, &id, &known.state, &accept).await?;
        let mut draft = Draft::new(id, &known);
        draft.settle(accept, facts.clone(), &context).await?;
        let newcomer = self.newcomer(&known.state.email);
        let mut streams =
            vec![draft.write(), users::newcomer(user_id, newcomer, secret_id, &context).await?];
        streams.extend(if known.state.roles.is_empty() {
            default_access(app, Arc::clone(&facts.policy), user_id, &context).await?
        } else {
            access(user_id, &known.state.roles, &facts, &context).await?
        });
        let facts = sources.into_facts();
        let metadata = self.ask.metadata(&facts);
        let append = Append { facts, ..Append::of(tenant, streams, metadata) };
        match app.append(self.ask, append).await? {
            Outcome::Stored(stored) => {
                Ok(Some(Joined { tenant_id: tenant, user_id, position: stored.last_position }))
            }
            Outcome::Claimed { namespace, .. } => Err(crate::refusal::claimed(&namespace)),
            Outcome::StaleVersion | Outcome::StaleFact => Ok(None),
            Outcome::Replayed { .. } | Outcome::KeyReused => Err(key_reused()),
        }
    }

    /// Reads again what the decision leans on: a revocation of the sender's rights holds from now on.
    async fn refresh(&self, sender: UserId) -> Result<(), Problem> {
        let (tenant, sender) = (self.ask.principal.tenant, sender.to_string());
        self.app.refresh_facts(tenant, &sender).await?;
        let access = self.app.aggregates.refresh::<UserAccess>(tenant, &sender).await;
        access.map_err(|error| Problem::internal(&error))?;
        Ok(())
    }

    fn newcomer(&self, email: &str) -> Register {
        let body = self.body;
        Register {
            handle: body.handle.clone(),
            display_name: body.display_name.clone().unwrap_or_else(|| body.handle.clone()),
            email: Some(email.to_owned()),
            locale: body.locale.clone(),
            time_zone: body.time_zone.clone(),
        }
    }
}

/// The roles of a user who joins; nothing to store where none were promised.
async fn access(
    user_id: UserId,
    roles: &[Assignment],
    known: &invitation::Facts,
    context: &Context,
) -> Result<Option<StreamWrite>, Problem> {
    let mut draft = Draft::<UserAccess>::new(user_id.to_string(), &Folded::default());
    for role in roles {
        let Assignment { role_id, unit_id, expires_at } = *role;
        let unit_path = unit_id.map(|unit| known.organization.path(unit)).unwrap_or_default();
        let facts = user_access::Facts {
            user_id,
            user_exists: true,
            policy: Arc::clone(&known.policy),
            actor_access: Arc::clone(&known.sender_access),
            unit_path,
        };
        let assign = user_access::Command::AssignRole { role_id, unit_id, expires_at };
        draft.settle(assign, facts, context).await?;
    }
    Ok((!draft.is_empty()).then(|| draft.write()))
}
