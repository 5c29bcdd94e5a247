//! Routes for organisations and their units; a new organisation comes with its policy and its owner, in one append.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use events::identity::organization::{
    self, AddUnit, CloseUnit, Command, Create, MoveUnit, Organization, Rename, RenameUnit, Suspend,
    UnitKind,
};
use events::identity::user::Register;
use events::rbac::policy::{self, Policy};
use events::{Actor, ActorKind, Context, Module, Permission, RoleId, TenantId, UnitId, UserId};
use platform::clock;
use platform::fold::Folded;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::users::{self, default_locale, default_time_zone};
use crate::answer::Answer;
use crate::app::App;
use crate::draft::Draft;
use crate::guard::Spot;
use crate::log::{Append, Outcome, StreamWrite};
use crate::patch::Patch;
use crate::pipeline::{Ask, Target};
use crate::registry::{COMMAND, Call, Incoming, Nothing, Registry, answered};

/// An organisation to set up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetUp {
    /// The organisation's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<TenantId>,
    /// Its name.
    name: String,
    /// Its short name, unique in the installation.
    slug: String,
    /// Home time zone, an IANA name.
    #[serde(default = "default_time_zone")]
    time_zone: String,
    /// Language and region, a BCP 47 tag.
    #[serde(default = "default_locale")]
    locale: String,
    /// Currency of its books, an ISO 4217 code.
    #[serde(default = "default_currency")]
    currency: String,
    /// Whoever may do everything in it.
    owner: Owner,
}

fn default_currency() -> String {
    "EUR".into()
}

/// The first user of an organisation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Owner {
    /// The user's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<UserId>,
    /// The name to sign in with.
    handle: String,
    /// The name to show.
    display_name: String,
    /// The e-mail address.
    #[serde(default)]
    email: Option<String>,
    /// The password: 12 characters or more.
    password: String,
}

/// An organisation that was set up.
#[derive(Serialize, JsonSchema)]
struct Founded {
    /// The organisation, which is the tenant.
    tenant_id: TenantId,
    /// Its owner.
    user_id: UserId,
    /// The role that may do everything.
    owner_role_id: RoleId,
    /// Last position of what was stored.
    position: i64,
}

/// A unit to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUnit {
    /// The unit's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<UnitId>,
    /// What it is.
    kind: UnitKind,
    /// Its code, unique in the organisation.
    code: String,
    /// Its name.
    name: String,
    /// The unit above it; none puts it at the top.
    #[serde(default)]
    parent_id: Option<UnitId>,
    /// Its time zone, an IANA name; the organisation's when absent.
    #[serde(default)]
    time_zone: Option<String>,
}

/// What to change of a unit; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUnit {
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// The unit above it; null puts it at the top.
    #[serde(default)]
    parent_id: Patch<UnitId>,
}

const SUSPEND: &str = "identity_organization_suspend";
const REACTIVATE: &str = "identity_organization_reactivate";
const UNIT: &str = "/organizations/{organization_id}/units/{unit_id}";

pub(super) fn routes(registry: &mut Registry) {
    let found = Route::post("/organizations", Module::Identity, "identity_organization_create")
        .summary("set up an organisation with its policy and its owner, in one append")
        .access(Access::Bootstrap)
        .takes::<SetUp>()
        .answers::<Founded>(201);
    registry.special(found, |State(app): State<Arc<App>>, request: Incoming| async move {
        set_up(&app, &request)
            .await
            .map(|founded| (axum::http::StatusCode::CREATED, axum::Json(founded)))
    });
    let suspend = "/organizations/{organization_id}/suspend";
    let suspend = Route::post(suspend, Module::Identity, SUSPEND)
        .summary("let nobody work in an organisation any more, until it is reactivated")
        .access(Access::Bootstrap)
        .takes::<Suspend>()
        .parameters(COMMAND)
        .answers::<Answer>(200);
    registry.special(suspend, |State(app): State<Arc<App>>, request: Incoming| async move {
        let suspend = || request.json().map(Command::Suspend);
        rule(&app, &request, SUSPEND, suspend).await
    });
    let reactivate = "/organizations/{organization_id}/reactivate";
    let reactivate = Route::post(reactivate, Module::Identity, REACTIVATE)
        .summary("let the users of an organisation work in it again")
        .access(Access::Bootstrap)
        .takes::<Nothing>()
        .parameters(COMMAND)
        .answers::<Answer>(200);
    registry.special(reactivate, |State(app): State<Arc<App>>, request: Incoming| async move {
        let reactivate = || request.json().map(|Nothing {}| Command::Reactivate);
        rule(&app, &request, REACTIVATE, reactivate).await
    });
    let manage = |route: Route| route.needs(Permission::IdentityOrganizationsManage);
    registry.command::<Rename, Organization>(
        manage(Route::patch(
            "/organizations/{organization_id}",
            Module::Identity,
            "identity_organization_rename",
        ))
        .summary("rename the organisation"),
        |call| Ok(Target::new(own(call)?, Command::Rename(call.body.clone()))),
    );
    registry.command::<NewUnit, Organization>(
        manage(Route::post(
            "/organizations/{organization_id}/units",
            Module::Identity,
            "identity_organization_add_unit",
        ))
        .summary("add a branch, plant, department or site")
        .in_unit()
        .answers::<()>(201),
        add_unit,
    );
    registry.command::<ChangeUnit, Organization>(
        manage(Route::patch(UNIT, Module::Identity, "identity_organization_change_unit"))
            .summary("rename or move a unit")
            .in_unit(),
        change_unit,
    );
    registry.command::<Nothing, Organization>(
        manage(Route::delete(UNIT, Module::Identity, "identity_organization_close_unit"))
            .summary("close a unit that has no open units below it")
            .in_unit(),
        |call| {
            let unit_id = call.id("unit_id")?;
            let close = Command::CloseUnit(CloseUnit { unit_id });
            Ok(Target::new(own(call)?, close).within([Spot::In(unit_id)]))
        },
    );
}

/// The organisation in the path, which must be the caller's own: any other does not exist for them.
pub(super) fn own<B>(call: &Call<B>) -> Result<TenantId, Problem> {
    let named: TenantId = call.id("organization_id")?;
    if named == call.tenant() { Ok(named) } else { Err(Problem::absent("organisation")) }
}

fn add_unit(call: &Call<NewUnit>) -> Result<Target<Organization>, Problem> {
    let body = &call.body;
    let unit = AddUnit {
        unit_id: body.id.unwrap_or_else(clock::new_id),
        kind: body.kind,
        code: body.code.clone(),
        name: body.name.clone(),
        parent_id: body.parent_id,
        time_zone: body.time_zone.clone(),
    };
    let target = Target::new(own(call)?, Command::AddUnit(unit));
    let spot = Spot::of(body.parent_id);
    Ok(target.at("/organizations/{id}/units/{unit_id}").within([spot]))
}

fn change_unit(call: &Call<ChangeUnit>) -> Result<Target<Organization>, Problem> {
    let unit_id: UnitId = call.id("unit_id")?;
    let (mut commands, mut spots) = (Vec::new(), vec![Spot::In(unit_id)]);
    if let Some(name) = call.body.name.clone() {
        commands.push(Command::RenameUnit(RenameUnit { unit_id, name }));
    }
    let moved = |parent_id| Command::MoveUnit(MoveUnit { unit_id, parent_id });
    if let Some(command) = call.body.parent_id.asks(moved) {
        commands.push(command);
        // What it leaves and where it goes are changed as well.
        spots.push(Spot::Above(unit_id));
        spots.extend(call.body.parent_id.asks(Spot::of));
    }
    Ok(Target { commands, ..Target::of(own(call)?) }.within(spots))
}

/// A command of whoever runs the installation for one of its organisations.
async fn rule(
    app: &App,
    request: &Incoming,
    operation: &'static str,
    command: impl Fn() -> Result<Command, Problem>,
) -> Result<Response, Problem> {
    app.check_bootstrap(&request.headers, "organisations are ruled with the bootstrap token")?;
    let tenant: TenantId = request.id("organization_id")?;
    let known = app.aggregates.refresh::<Organization>(tenant, &tenant.to_string()).await;
    // Where there is none, nothing is kept of who asked.
    if known.map_err(|error| Problem::internal(&error))?.version == 0 {
        return Err(Problem::absent("organisation"));
    }
    let context = Context { tenant, actor: bootstrap(), now: clock::now(), scope: None };
    let ask = Ask { status: 200, ..Ask::installation(&context, request, operation) };
    let ask = ask.taken(app, request)?;
    let carried = app.execute(&ask, || Ok(Target::<Organization>::new(tenant, command()?))).await?;
    Ok(answered(app, request, carried.answer()).await)
}

/// Whoever holds the bootstrap token.
fn bootstrap() -> Actor {
    Actor {
        kind: ActorKind::System,
        id: "bootstrap".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    }
}

async fn set_up(app: &App, request: &Incoming) -> Result<Founded, Problem> {
    app.check_bootstrap(&request.headers, "organisations are set up with the bootstrap token")?;
    let body: SetUp = request.json()?;
    let tenant_id = body.id.unwrap_or_else(clock::new_id);
    let user_id = body.owner.id.unwrap_or_else(clock::new_id);
    let owner_role_id: RoleId = clock::new_id();
    let context = Context { tenant: tenant_id, actor: bootstrap(), now: clock::now(), scope: None };
    let asked = Ask::installation(&context, request, "identity_organization_create");
    let ask = Ask { person: Some(user_id.0), ..asked };
    let secret_id = app.keep_password(&ask, &body.owner.password, "/owner/password").await?;
    let owner = Register {
        handle: body.owner.handle.clone(),
        display_name: body.owner.display_name.clone(),
        email: body.owner.email.clone(),
        locale: body.locale.clone(),
        time_zone: body.time_zone.clone(),
    };
    let streams = vec![
        organization(&body, tenant_id, &context).await?,
        users::newcomer(user_id, owner, secret_id, &context).await?,
        policy(tenant_id, user_id, owner_role_id, &context).await?,
    ];
    let metadata = ask.metadata(&[]);
    let append = Append::of(tenant_id, streams, metadata);
    match app.append(&ask, append).await? {
        Outcome::Stored(stored) => {
            Ok(Founded { tenant_id, user_id, owner_role_id, position: stored.last_position })
        }
        Outcome::Claimed { namespace, .. } => Err(crate::refusal::claimed(&namespace)),
        Outcome::StaleVersion
        | Outcome::StaleFact
        | Outcome::Replayed { .. }
        | Outcome::KeyReused => Err(Problem::conflict(
            "ORGANIZATION_EXISTS",
            "an organisation or user with this id exists",
        )),
    }
}

async fn organization(
    body: &SetUp,
    id: TenantId,
    context: &Context,
) -> Result<StreamWrite, Problem> {
    let mut draft = Draft::<Organization>::new(id.to_string(), &Folded::default());
    let command = Command::Create(Create {
        name: body.name.clone(),
        slug: body.slug.clone(),
        time_zone: body.time_zone.clone(),
        locale: body.locale.clone(),
        currency: body.currency.clone(),
    });
    draft.settle(command, organization::Facts::default(), context).await?;
    Ok(draft.write())
}

async fn policy(
    tenant: TenantId,
    user_id: UserId,
    owner_role_id: RoleId,
    context: &Context,
) -> Result<StreamWrite, Problem> {
    let mut draft = Draft::<Policy>::new(tenant.to_string(), &Folded::default());
    let facts = policy::Facts { user_exists: true, ..policy::Facts::default() };
    draft.settle(policy::Command::Initialize { owner_role_id }, facts.clone(), context).await?;
    let grant = policy::Command::GrantProtectedRole {
        user_id,
        role_id: owner_role_id,
        unit_id: None,
        expires_at: None,
    };
    draft.settle(grant, facts, context).await?;
    Ok(draft.write())
}
