//! Users, organisations, their units, sessions, invitations and issuers as they were.

use ::events::UnitId;
use ::events::identity::api_key::{self, ApiKey};
use ::events::identity::invitation::{self, Invitation};
use ::events::identity::issuer::{self, Issuer};
use ::events::identity::organization::{self, Organization};
use ::events::identity::session::{self, Session};
use ::events::identity::user::{self, User};
use serde_json::{Value, json};

use super::own_organization;
use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static USER: Past<User> = Past {
    data: "identity.users",
    what: "user",
    names: names!("/users/{id}", "identity_user"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: user,
    masked: &["reason", "count", "failed_at", "until", "ip", "subject_sha256"],
    owner: None,
};

pub(super) static ORGANIZATION: Past<Organization> = Past {
    data: "identity.organizations",
    what: "organisation",
    names: names!("/organizations/{id}", "identity_organization"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        own_organization(call)?;
        Ok(Place::of_item(call))
    },
    view: organization,
    masked: &[],
    owner: None,
};

pub(super) static UNIT: Past<Organization> = Past {
    data: "identity.units",
    what: "unit",
    names: names!("/organizations/{id}/units/{unit_id}", "identity_unit"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        own_organization(call)?;
        let unit: UnitId = call.id("unit_id", "unit")?;
        let (stream, id) = (call.tenant().to_string(), unit.to_string());
        Ok(Place { stream, text: Some(id.clone()), id })
    },
    view: unit,
    masked: &[],
    owner: None,
};

pub(super) static SESSION: Past<Session> = Past {
    data: "identity.sessions",
    what: "session",
    names: names!("/sessions/{id}", "identity_session"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: session,
    masked: &["refresh_sha256"],
    owner: Some(|session| session.user_id),
};

pub(super) static INVITATION: Past<Invitation> = Past {
    data: "identity.invitations",
    what: "invitation",
    names: names!("/invitations/{id}", "identity_invitation"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: invitation,
    masked: &[],
    owner: None,
};

pub(super) static ISSUER: Past<Issuer> = Past {
    data: "identity.issuers",
    what: "issuer",
    names: names!("/issuers/{id}", "identity_issuer"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: issuer,
    masked: &[],
    owner: None,
};

pub(super) static API_KEY: Past<ApiKey> = Past {
    data: "identity.api_keys",
    what: "API key",
    names: names!("/api-keys/{id}", "identity_api_key"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: api_key,
    masked: &["secret_sha256"],
    owner: Some(|key| key.owner_id),
};

fn api_key(key: &ApiKey, id: &str) -> Option<Value> {
    let reason = match key.status {
        api_key::Status::Absent => return None,
        api_key::Status::Open => None,
        api_key::Status::Revoked(reason) => Some(reason),
    };
    Some(json!({
        "api_key_id": id,
        "user_id": key.owner_id,
        "name": key.name,
        "scope": key.scope,
        "rotation": key.rotation,
        "overlap_ends_at": key.overlap.as_ref().map(|(_, until)| until),
        "expires_at": key.expires_at,
        "revocation_reason": reason,
    }))
}

/// An item that is a stream of its own.
fn user(user: &User, id: &str) -> Option<Value> {
    (user.status != user::Status::Absent).then(|| {
        json!({
            "user_id": id,
            "handle": user.handle,
            "display_name": user.display_name,
            "email": user.email,
            "email_confirmed": user.email_confirmed,
            "phone": user.phone,
            "locale": user.locale,
            "time_zone": user.time_zone,
            "status": user.status,
            "has_password": user.password.is_some(),
            "identities": user.identities.keys().collect::<Vec<_>>(),
            "login_failures": user.failures.len(),
            "locked_until": user.locked_until,
        })
    })
}

fn organization(organization: &Organization, id: &str) -> Option<Value> {
    (organization.status != organization::Status::Absent).then(|| {
        json!({
            "organization_id": id,
            "name": organization.name,
            "slug": organization.slug,
            "time_zone": organization.time_zone,
            "locale": organization.locale,
            "currency": organization.currency,
            "purge_requested_by": organization.purge.as_ref().map(|purge| purge.requested_by),
            "purge_lapses_at": organization.purge.as_ref().map(|purge| purge.lapses_at),
            "purge_effective_at": organization.purge.as_ref().and_then(|purge| purge.effective_at),
        })
    })
}

/// Without the way up, which changes with what happens to the units above.
fn unit(organization: &Organization, id: &str) -> Option<Value> {
    let unit_id: UnitId = id.parse().ok()?;
    let unit = organization.units.get(&unit_id)?;
    Some(json!({
        "unit_id": unit_id,
        "kind": unit.kind,
        "code": unit.code,
        "name": unit.name,
        "parent_id": unit.parent_id,
        "time_zone": unit.time_zone,
    }))
}

fn session(session: &Session, id: &str) -> Option<Value> {
    let reason = match session.status {
        session::Status::Absent => return None,
        session::Status::Open => None,
        session::Status::Revoked(reason) => Some(reason),
    };
    Some(json!({
        "session_id": id,
        "user_id": session.user_id,
        "amr": session.amr,
        "rotation": session.rotation,
        "expires_at": session.expires_at,
        "revocation_reason": reason,
    }))
}

fn invitation(invitation: &Invitation, id: &str) -> Option<Value> {
    (invitation.status != invitation::Status::Absent).then(|| {
        json!({
            "invitation_id": id,
            "email": invitation.email,
            "roles": invitation.roles,
            "status": invitation.status,
            "invited_by": invitation.invited_by,
            "sendings": invitation.sendings,
            "expires_at": invitation.expires_at,
        })
    })
}

fn issuer(issuer: &Issuer, id: &str) -> Option<Value> {
    let terms = &issuer.terms;
    (issuer.status != issuer::Status::Absent).then(|| {
        json!({
            "issuer_id": id,
            "name": issuer.name,
            "issuer": issuer.issuer,
            "audiences": terms.audiences,
            "algorithms": terms.algorithms,
            "jwks_uri": terms.jwks_uri,
            "mapping": terms.mapping,
            "email_domains": terms.email_domains,
            "joins": terms.joins,
            "status": issuer.status,
        })
    })
}
