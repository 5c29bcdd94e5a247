//! The data sets of what people sign in by, besides passwords.

use events::Permission;

use super::Kind::{Boolean, Id, Integer, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset, Owner};

pub(super) const SESSIONS: Dataset = Dataset {
    name: "identity.sessions",
    label: "Sessions",
    table: "read.identity_sessions_shown",
    projections: &["identity_sessions", "identity_session_endings", "identity_issuer_endings"],
    permission: None,
    owner: Some(Owner {
        column: "user_id",
        everybody: Some(Permission::IdentitySessionsManage),
        shared: None,
    }),
    units: None,
    columns: &[
        Column::new("session_id", "Session", Id),
        Column::new("user_id", "User", Id),
        Column::new("amr", "Proofs", List),
        Column::new("issuer_id", "Issuer", Id).nullable(),
        Column::new("ip", "Address", Text).nullable().sensitive(),
        Column::new("user_agent", "Program", Text).nullable().sensitive(),
        Column::new("rotation", "Refreshed", Integer),
        Column::new("expires_at", "Expires", Time),
        Column::new("reuse_detected_at", "Copied token seen", Time).nullable(),
        Column::new("revoked_at", "Ended", Time).nullable(),
        Column::new("revocation_reason", "Reason", Text).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["session_id"],
    default_sort: "-created_at",
};

pub(super) const API_KEYS: Dataset = Dataset {
    name: "identity.api_keys",
    label: "API keys",
    table: "read.identity_api_keys_used",
    projections: &["identity_api_keys"],
    permission: None,
    owner: Some(Owner {
        column: "user_id",
        everybody: Some(Permission::IdentityApiKeysManage),
        shared: None,
    }),
    units: None,
    columns: &[
        Column::new("api_key_id", "API key", Id),
        Column::new("user_id", "User", Id),
        Column::new("name", "Name", Text),
        Column::new("scope", "Scope", List),
        Column::new("rotation", "Rotated", Integer),
        Column::new("rotated_at", "Rotated last", Time).nullable(),
        Column::new("overlap_ends_at", "Secret before ends", Time).nullable(),
        Column::new("expires_at", "Expires", Time),
        Column::new("last_used_at", "Last used", Time).nullable(),
        Column::new("revoked_at", "Revoked", Time).nullable(),
        Column::new("revocation_reason", "Reason", Text).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["api_key_id"],
    default_sort: "-created_at",
};

pub(super) const ISSUERS: Dataset = Dataset {
    name: "identity.issuers",
    label: "Issuers",
    table: "read.identity_issuers",
    projections: &["identity_issuers"],
    permission: Some(Permission::IdentityIssuersRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("issuer_id", "Issuer", Id),
        Column::new("name", "Name", Text),
        Column::new("issuer", "Address", Text),
        Column::new("audiences", "Our names there", List),
        Column::new("algorithms", "Signs with", List),
        Column::new("jwks_uri", "Keys", Text).nullable(),
        Column::new("mapping", "Names users by", Text),
        Column::new("email_domains", "Domains", List),
        Column::new("joins", "Lets in strangers", Boolean),
        Column::new("status", "Status", Text),
        Column::new("suspended_at", "Suspended", Time).nullable(),
        Column::new("suspension_reason", "Reason", Text).nullable(),
        Column::new("distrusted_at", "Distrusted", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["issuer_id"],
    default_sort: "name",
};
