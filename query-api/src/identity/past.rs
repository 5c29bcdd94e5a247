//! Users, organisations, invitations and issuers as they were.

use ::events::identity::invitation::{self, Invitation};
use ::events::identity::issuer::{self, Issuer};
use ::events::identity::organization::{self, Organization};
use ::events::identity::user::{self, User};
use serde_json::{Value, json};

use super::own_organization;
use crate::call::Call;
use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static USER: Past<User> = Past {
    data: "identity.users",
    what: "user",
    names: names!("/users/{id}", "identity_user"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(own_stream(call)),
    view: user,
    masked: &["reason", "count", "failed_at", "until", "ip", "subject_sha256"],
};

pub(super) static ORGANIZATION: Past<Organization> = Past {
    data: "identity.organizations",
    what: "organisation",
    names: names!("/organizations/{id}", "identity_organization"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        own_organization(call)?;
        Ok(own_stream(call))
    },
    view: organization,
    masked: &[],
};

pub(super) static INVITATION: Past<Invitation> = Past {
    data: "identity.invitations",
    what: "invitation",
    names: names!("/invitations/{id}", "identity_invitation"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(own_stream(call)),
    view: invitation,
    masked: &[],
};

pub(super) static ISSUER: Past<Issuer> = Past {
    data: "identity.issuers",
    what: "issuer",
    names: names!("/issuers/{id}", "identity_issuer"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(own_stream(call)),
    view: issuer,
    masked: &[],
};

/// An item that is a stream of its own.
fn own_stream(call: &Call) -> Place {
    let id = call.segment("id").to_owned();
    Place { stream: id.clone(), id, text: None }
}

fn user(user: &User, id: &str) -> Option<Value> {
    (user.status != user::Status::Absent).then(|| {
        json!({
            "user_id": id,
            "handle": user.handle,
            "display_name": user.display_name,
            "email": user.email,
            "email_confirmed": user.email_confirmed,
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
        })
    })
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
