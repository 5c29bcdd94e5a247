//! Who the caller is, and what the caller may do.

use axum::response::Response;
use events::identity::organization::{Organization, UnitKind};
use events::identity::user::User;
use events::{Module, SessionId, TenantId, UnitId, UserId};
use jiff::Timestamp;
use platform::access::Standing;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Stamped, owned, stamped};
use crate::call::{Call, UNIT, unreadable};
use crate::endpoint::Endpoint;
use crate::shape::{KNOWN, PREFER, WAITING, query};

/// The caller.
#[derive(Debug, Serialize, JsonSchema)]
struct Me {
    user_id: UserId,
    handle: String,
    display_name: String,
    email: Option<String>,
    phone: Option<String>,
    locale: String,
    time_zone: String,
    session_id: Option<SessionId>,
    /// When the access token in use ends.
    #[schemars(with = "String")]
    token_expires_at: Timestamp,
    organization: OwnOrganization,
}

/// The caller's organisation.
#[derive(Debug, Serialize, JsonSchema)]
struct OwnOrganization {
    organization_id: TenantId,
    name: String,
    slug: String,
    time_zone: String,
    locale: String,
    currency: String,
    units: Vec<OwnUnit>,
}

/// An open part of the caller's organisation.
#[derive(Debug, Serialize, JsonSchema)]
struct OwnUnit {
    unit_id: UnitId,
    kind: UnitKind,
    code: String,
    name: String,
    parent_id: Option<UnitId>,
}

/// All that a user may do in the organisation as a whole, or in a unit.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Permissions {
    user_id: UserId,
    /// The unit; the organisation as a whole when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_id: Option<UnitId>,
    /// Every permission by name, patterns written out.
    #[serde(rename = "permissions")]
    names: Vec<String>,
    /// The patterns among the grants.
    patterns: Vec<String>,
    /// Whether the user may do everything.
    everything: bool,
    /// The highest level among the user's roles.
    max_level: Option<u16>,
    /// When the first of the assignments behind this ends.
    #[schemars(with = "Option<String>")]
    valid_until: Option<Timestamp>,
    /// The version of the organisation's policy.
    policy_version: i64,
    /// The version of the user's roles.
    access_version: i64,
}

pub(crate) const WHERE: &[Parameter] =
    &[query(UNIT, "the unit in which; everywhere unless told"), KNOWN, PREFER];

pub(super) fn me() -> Endpoint {
    let route = Route::get("/me", Module::Identity, "identity_me")
        .summary("Who the caller is, and in which organisation")
        .parameters(WAITING)
        .answers::<Stamped<Me>>(200);
    Endpoint::new(route, |call: Call| async move {
        let asked = call.head().await?;
        let user_id = call.person()?;
        let user = call.aggregate::<User>(&user_id.to_string()).await?;
        let organization = call.organization().await?;
        let User { handle, display_name, email, phone, locale, time_zone, .. } =
            (*user.state).clone();
        let me = Me {
            user_id,
            handle,
            display_name,
            email,
            phone,
            locale,
            time_zone,
            session_id: call.principal.actor.session_id,
            token_expires_at: call.principal.expires_at,
            organization: own(call.tenant(), &organization.state),
        };
        Ok(stamped(&call, &asked, me))
    })
}

fn own(organization_id: TenantId, organization: &Organization) -> OwnOrganization {
    let open = organization.units.iter().filter(|(_, unit)| !unit.closed);
    let units = open.map(|(unit_id, unit)| OwnUnit {
        unit_id: *unit_id,
        kind: unit.kind,
        code: unit.code.clone(),
        name: unit.name.clone(),
        parent_id: unit.parent_id,
    });
    OwnOrganization {
        organization_id,
        name: organization.name.clone(),
        slug: organization.slug.clone(),
        time_zone: organization.time_zone.clone(),
        locale: organization.locale.clone(),
        currency: organization.currency.clone(),
        units: units.collect(),
    }
}

pub(super) fn permissions() -> Endpoint {
    let route = Route::get("/me/permissions", Module::Identity, "identity_my_permissions")
        .summary("What the caller may do, everywhere or in a unit")
        .parameters(WHERE)
        .answers::<Stamped<Permissions>>(200);
    Endpoint::new(
        route,
        |call: Call| async move { permissions_in_unit(&call, call.person()?).await },
    )
}

/// The unit asked about, where one is.
pub(crate) fn unit(call: &Call) -> Result<Option<UnitId>, Problem> {
    let unit = call.parameter(UNIT).map(|unit| unit.parse().map_err(|_| Problem::absent("unit")));
    unit.transpose()
}

/// Answers what a user may do, everywhere or in the unit asked about; whether the caller may ask is known.
pub(crate) async fn permissions_in_unit(call: &Call, user: UserId) -> Result<Response, Problem> {
    call.only_parameters(&[UNIT])?;
    let asked = call.head().await?;
    let standing = call.standing_of(user, true).await?;
    existing(&standing)?;
    let Some(unit) = unit(call)? else {
        return Ok(stamped(call, &asked, held(&standing)));
    };
    let by = call.speaking_of(user);
    let seen = call.app.access.seen_in(&by, standing, unit).await;
    let standing = seen.map_err(unreadable)?.ok_or_else(|| Problem::absent("unit"))?;
    Ok(stamped(call, &asked, Permissions { unit_id: Some(unit), ..held(&standing) }))
}

/// What a user may do.
pub(crate) fn held(standing: &Standing) -> Permissions {
    let effective = &standing.effective;
    Permissions {
        user_id: standing.user_id,
        unit_id: None,
        names: owned(&effective.names()),
        patterns: owned(effective.patterns()),
        everything: effective.is_everything(),
        max_level: effective.max_level(),
        valid_until: effective.valid_until(),
        policy_version: standing.versions.policy,
        access_version: standing.versions.access,
    }
}

/// Refuses to speak of users that do not exist.
fn existing(standing: &Standing) -> Result<(), Problem> {
    if standing.user.version > 0 { Ok(()) } else { Err(Problem::absent("user")) }
}
