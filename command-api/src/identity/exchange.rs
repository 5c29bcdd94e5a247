//! Signing in by an issuer's token: it is exchanged for a session of ours, once, and opens nothing by itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::audit::security_log::{self, CommandRefused};
use events::identity::issuer::{self, Identified, Issuer, Mapping, Unfit};
use events::identity::organization::Organization;
use events::identity::session::{self, Exchanged, Session};
use events::identity::user::{self, LinkIdentity, Register, User};
use events::rbac::policy::Policy;
use events::{Context, Decider as _, IssuerId, Module, SessionId, TenantId, UserId};
use platform::clock;
use platform::fold::Folded;
use platform::jwks::{KeyError, Malformed, Presented, Source};
use platform::problem::Problem;
use platform::routes::{Access, Route};
use platform::secrets::{fingerprint, hmac};
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::{Tokens, as_system, new_refresh_token};
use super::joining::default_access;
use crate::app::App;
use crate::draft::Draft;
use crate::facts::{LoadFacts as _, Sources, idle_hours};
use crate::log::{Append, Outcome, StreamWrite};
use crate::pipeline::MAX_ATTEMPTS;
use crate::refusal::{busy, key_reused};
use crate::registry::{Incoming, Registry};

const EXCHANGE: &str = "identity_session_exchange";
/// How the user proved who they are, as far as we know: to somebody else.
const AMR: &str = "oidc";

/// An issuer's word for who somebody is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The organisation's short name, or its id.
    organization: String,
    /// The ID token, or a JWT access token, of an issuer that the organisation trusts; good once.
    token: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let exchange = Route::post("/auth/exchange", Module::Identity, EXCHANGE)
        .summary(
            "sign in by the token of an issuer that the organisation trusts; each is good once",
        )
        .access(Access::Public)
        .takes::<Exchange>()
        .answers::<Tokens>(200);
    registry.special(exchange, |State(app): State<Arc<App>>, request: Incoming| async move {
        exchanged(&app, &request).await.map(Json)
    });
}

/// A token that an issuer has truly signed, and whom it is about.
pub(super) struct Vouched {
    pub(super) issuer_id: IssuerId,
    pub(super) issuer: Arc<Issuer>,
    pub(super) identified: Identified,
    /// The keyed digest of the subject.
    pub(super) subject_sha256: String,
    pub(super) token_sha256: String,
}

/// Why there is no session for a token.
#[derive(Debug)]
pub(super) enum No {
    /// Nobody knows whose it is; there is nothing to keep.
    Unsigned(&'static str),
    /// The issuer has signed it; why it does not count is kept.
    Signed { issuer_id: IssuerId, user_id: Option<UserId>, code: String, detail: String },
    /// We could not find out.
    Failed(Box<Problem>),
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Failed(Box::new(problem))
    }
}

impl From<Malformed> for No {
    fn from(malformed: Malformed) -> Self {
        Self::Unsigned(malformed.into())
    }
}

/// What everybody is told whose token does not count, whatever is wrong with it or with them.
pub(super) fn not_accepted() -> Problem {
    let detail = "the token is not accepted here; get a new one, or sign in otherwise";
    Problem::new(StatusCode::UNAUTHORIZED, "EXCHANGE_REFUSED", detail)
}

async fn exchanged(app: &App, request: &Incoming) -> Result<Tokens, Problem> {
    let body: Exchange = request.json()?;
    let tenant = match app.organization(&body.organization).await? {
        Some(tenant) => tenant,
        None => body.organization.trim().parse().unwrap_or_default(),
    };
    match sign_in(app, tenant, &body.token, request).await {
        Ok(tokens) => {
            count("exchanged");
            Ok(tokens)
        }
        Err(no) => Err(app.refuse_exchange(tenant, no, request).await),
    }
}

async fn sign_in(
    app: &App,
    tenant: TenantId,
    token: &str,
    request: &Incoming,
) -> Result<Tokens, No> {
    let vouched = app.vouched(tenant, token).await?;
    app.limits.admit_login(&tenant.to_string(), &vouched.subject_sha256)?;
    let signing = Signing { app, tenant, vouched: &vouched, request };
    for _ in 0..MAX_ATTEMPTS {
        if let Some(tokens) = signing.attempt().await? {
            return Ok(tokens);
        }
    }
    Err(busy().into())
}

impl App {
    /// Whom a token is about, once it is known to be of an issuer that the organisation trusts, and to count now.
    pub(super) async fn vouched(&self, tenant: TenantId, token: &str) -> Result<Vouched, No> {
        let presented = Presented::read(token)?;
        let holder = self.claimant(tenant, issuer::URL, presented.issuer()).await?;
        let issuer_id: Option<IssuerId> = holder.and_then(|id| id.parse().ok());
        let issuer_id = issuer_id.ok_or(No::Unsigned(Unfit::IssuerUnknown.into()))?;
        let issuer = self.aggregates.refresh::<Issuer>(tenant, &issuer_id.to_string()).await;
        let issuer = issuer.map_err(|error| Problem::internal(&error))?.state;
        // Nobody is asked for keys on account of a token that could not count.
        issuer.signs_with(presented.algorithm()).map_err(|unfit| No::Unsigned(unfit.into()))?;
        let source =
            Source { issuer: issuer.issuer.clone(), jwks_uri: issuer.terms.jwks_uri.clone() };
        let claims = match presented.verify(&self.key_sets, &source).await {
            Ok(claims) => claims?,
            Err(KeyError::Unknown) => return Err(No::Unsigned(Unfit::KeyUnknown.into())),
            Err(KeyError::Unavailable) => {
                let detail = "the issuer of the token does not answer; try again";
                return Err(Problem::unavailable(detail).into());
            }
        };
        let identified = issuer.identify(claims, clock::now());
        let identified = identified.map_err(|unfit| unfit_for(issuer_id, unfit))?;
        let subject_sha256 = self.subject_sha256(tenant, issuer_id, &identified.subject);
        let token_sha256 = presented.sha256();
        Ok(Vouched { issuer_id, issuer, identified, subject_sha256, token_sha256 })
    }

    /// What is kept of a subject: enough to know it again, and nothing for whoever lacks our key.
    pub(super) fn subject_sha256(
        &self,
        tenant: TenantId,
        issuer_id: IssuerId,
        subject: &str,
    ) -> String {
        let key = self.master.derive("issuer-subject/v1");
        let digest = hmac(&key, format!("{tenant}|{issuer_id}|{subject}").as_bytes());
        hex::encode(digest)
    }

    /// Keeps why a token that an issuer has signed does not count; whoever sent it hears no more than that it does not.
    pub(super) async fn refuse_exchange(
        &self,
        tenant: TenantId,
        no: No,
        request: &Incoming,
    ) -> Problem {
        let (issuer_id, user_id, code, detail) = match no {
            No::Failed(problem) => {
                count("failed");
                return *problem;
            }
            No::Unsigned(code) => {
                count(code);
                tracing::info!(code, "an issuer's token was refused");
                return not_accepted();
            }
            No::Signed { issuer_id, user_id, code, detail } => (issuer_id, user_id, code, detail),
        };
        count("refused");
        // One old token shown again and again does not fill the log.
        if self.limits.admit_login(&tenant.to_string(), &issuer_id.to_string()).is_err() {
            return not_accepted();
        }
        let mut ask = as_system((tenant, user_id.unwrap_or_default()), EXCHANGE, request);
        if user_id.is_none() {
            // There is nobody under whose key these could be sealed.
            ask.facts = Arc::new(ask.facts.of_nobody());
            ask.person = None;
        }
        let refused = security_log::Command::RecordRefusal(CommandRefused {
            command: EXCHANGE.to_owned(),
            resource_type: Issuer::TYPE.to_owned(),
            resource_id: Some(issuer_id.to_string()),
            status: StatusCode::UNAUTHORIZED.as_u16(),
            code,
            detail,
            extensions: serde_json::Map::new(),
        });
        self.keep(&ask, refused, None).await.map_or_else(|problem| problem, |_| not_accepted())
    }
}

fn unfit_for(issuer_id: IssuerId, unfit: Unfit) -> No {
    let code: &'static str = unfit.into();
    No::Signed { issuer_id, user_id: None, code: code.to_owned(), detail: unfit.to_string() }
}

fn count(outcome: &'static str) {
    metrics::counter!("identity_exchanges_total", "outcome" => outcome).increment(1);
}

/// One exchange of a token that counts.
struct Signing<'a> {
    app: &'a App,
    tenant: TenantId,
    vouched: &'a Vouched,
    request: &'a Incoming,
}

/// Whose token it is.
enum Found {
    /// Theirs whose subject was linked before.
    Linked(UserId),
    /// Perhaps theirs whose address it is.
    ByEmail(UserId, String),
    /// Somebody's who becomes a user.
    Newcomer(String),
}

/// A user about to sign in.
struct Entering {
    user_id: UserId,
    draft: Draft<User>,
    /// The roles of a newcomer.
    access: Option<StreamWrite>,
}

impl Signing<'_> {
    /// Decides on what the log has now and appends once: the link or the user, and the session, or nothing.
    async fn attempt(&self) -> Result<Option<Tokens>, No> {
        let (app, tenant) = (self.app, self.tenant);
        let mut sources = Sources::new(app, tenant, None);
        let organization = sources.now::<Organization>(&tenant.to_string()).await?.state;
        let issuer = sources.now::<Issuer>(&self.vouched.issuer_id.to_string()).await?.state;
        let found = self.find().await?;
        let known = match found {
            Found::Linked(user) | Found::ByEmail(user, _) => Some(user),
            Found::Newcomer(_) => None,
        };
        let no = |problem: Problem| self.refused(known, problem);
        platform::access::check_at_work(&organization).map_err(no)?;
        let entering = self.entering(&mut sources, found, &organization).await?;
        let (user_id, draft) = (entering.user_id, entering.draft);
        let no = |problem: Problem| self.refused(known, problem);
        let ask = as_system((tenant, user_id), EXCHANGE, self.request);
        let session_id: SessionId = clock::new_id();
        let refresh_token = new_refresh_token(tenant, session_id);
        let user = Arc::new(draft.state().clone());
        let idle_hours = idle_hours(&mut sources).await?;
        let facts =
            session::Facts { session_id, user, issuer, idle_hours, ..session::Facts::default() };
        let mut session = Draft::<Session>::new(session_id.to_string(), &Folded::default());
        let start = session::Command::Start(self.start(user_id, &refresh_token));
        session.settle(start, facts, &ask.context()).await.map_err(no)?;
        let mut streams = session::Facts::streams(&mut sources, &session, &ask.context()).await?;
        streams.extend((!draft.is_empty()).then(|| draft.write()));
        streams.extend(entering.access);
        let facts = sources.into_facts();
        let metadata = ask.metadata(&facts);
        let append = Append { facts, ..Append::of(tenant, streams, metadata) };
        match app.append(&ask, append).await? {
            Outcome::Stored(_) => {
                Ok(Some(app.issue(tenant, user_id, session_id, refresh_token)?))
            }
            Outcome::Claimed { namespace, .. } => {
                // Somebody else was linked, or came to be, at the same moment: then it is they who enter.
                let is_known = !matches!(self.find().await?, Found::Newcomer(_));
                if is_known && namespace != session::EXCHANGED {
                    return Ok(None);
                }
                Err(no(crate::refusal::claimed(&namespace)))
            }
            Outcome::StaleVersion | Outcome::StaleFact => Ok(None),
            Outcome::Replayed { .. } | Outcome::KeyReused => Err(key_reused().into()),
        }
    }

    /// Whose token it is, by the claims of the log, which are never behind: by the subject first, so that an address which
    /// somebody else has now leads to nobody's account.
    async fn find(&self) -> Result<Found, No> {
        let Vouched { issuer_id, issuer, identified, subject_sha256, .. } = self.vouched;
        let key = user::identity(*issuer_id, subject_sha256);
        if let Some(user) = self.holder(user::IDENTITY, &key).await? {
            return Ok(Found::Linked(user));
        }
        let by_email = issuer.terms.mapping == Mapping::VerifiedEmail;
        let email = identified.email.clone().filter(|_| by_email);
        let email = email.ok_or_else(|| unfit_for(*issuer_id, Unfit::SubjectUnknown))?;
        match self.holder(user::EMAIL, &events::text::fold(&email)).await? {
            // Between the two looks the same subject may have become a user, who holds both.
            Some(user) => match self.holder(user::IDENTITY, &key).await? {
                Some(linked) => Ok(Found::Linked(linked)),
                None => Ok(Found::ByEmail(user, email)),
            },
            None if issuer.terms.joins => Ok(Found::Newcomer(email)),
            None => Err(unfit_for(*issuer_id, Unfit::Stranger)),
        }
    }

    async fn holder(&self, namespace: &str, key: &str) -> Result<Option<UserId>, Problem> {
        let holder = self.app.claimant(self.tenant, namespace, key).await?;
        Ok(holder.and_then(|id| id.parse().ok()))
    }

    /// The user as they are once they are signed in.
    async fn entering(
        &self,
        sources: &mut Sources<'_>,
        found: Found,
        organization: &Organization,
    ) -> Result<Entering, No> {
        let (user_id, by_email, newcomer) = match found {
            Found::Linked(user) => (user, None, None),
            Found::ByEmail(user, email) => (user, Some(email), None),
            Found::Newcomer(email) => (clock::new_id(), None, Some(email)),
        };
        let no = |problem| self.refused(newcomer.is_none().then_some(user_id), problem);
        let context = as_system((self.tenant, user_id), EXCHANGE, self.request).context();
        let folded = match newcomer {
            Some(_) => Folded::default(),
            None => sources.now::<User>(&user_id.to_string()).await?,
        };
        let mut draft = Draft::<User>::new(user_id.to_string(), &folded);
        let mut commands = Vec::new();
        commands.extend(newcomer.as_ref().map(|it| self.registering(it, organization)));
        commands.push(user::Command::RecordLogin);
        commands.push(user::Command::LinkIdentity(LinkIdentity {
            issuer_id: self.vouched.issuer_id,
            subject_sha256: self.vouched.subject_sha256.clone(),
            by_email,
        }));
        for command in commands {
            draft.settle(command, user::Facts::default(), &context).await.map_err(no)?;
        }
        let access = match newcomer {
            Some(_) => self.access(sources, user_id, &context).await?,
            None => None,
        };
        Ok(Entering { user_id, draft, access })
    }

    async fn access(
        &self,
        sources: &mut Sources<'_>,
        user_id: UserId,
        context: &Context,
    ) -> Result<Option<StreamWrite>, Problem> {
        let policy = sources.now::<Policy>(&self.tenant.to_string()).await?.state;
        default_access(self.app, policy, user_id, context).await
    }

    fn registering(&self, email: &str, organization: &Organization) -> user::Command {
        user::Command::Register(Register {
            handle: email.to_owned(),
            display_name: self.vouched.identified.name.clone().unwrap_or_else(|| email.to_owned()),
            email: Some(email.to_owned()),
            locale: organization.locale.clone(),
            time_zone: organization.time_zone.clone(),
        })
    }

    fn start(&self, user_id: UserId, refresh_token: &str) -> session::Start {
        session::Start {
            user_id,
            refresh_sha256: fingerprint(refresh_token),
            expires_at: self.app.session_end(),
            amr: vec![AMR.into()],
            ip: self.request.facts.ip,
            user_agent: self.request.facts.user_agent.clone(),
            exchanged: Some(Exchanged {
                issuer_id: self.vouched.issuer_id,
                token_sha256: self.vouched.token_sha256.clone(),
            }),
        }
    }

    /// A refusal by a rule, to be kept under the issuer's name; what failed on our side stays a failure.
    fn refused(&self, user_id: Option<UserId>, problem: Problem) -> No {
        if problem.status >= 500 {
            return problem.into();
        }
        let Problem { code, detail, .. } = problem;
        No::Signed { issuer_id: self.vouched.issuer_id, user_id, code, detail }
    }
}
