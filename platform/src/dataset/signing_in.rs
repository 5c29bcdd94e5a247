//! The data sets of what people sign in by, besides passwords.

use events::Permission;

use super::Kind::{Boolean, Id, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset};

pub(super) const ISSUERS: Dataset = Dataset {
    name: "identity.issuers",
    label: "Issuers",
    table: "read.identity_issuers",
    projections: &["identity_issuers"],
    permission: Some(Permission::IdentityIssuersRead),
    owner: None,
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
