//! What of events is about a person: stored sealed under a key of that person's own, so that it can be forgotten while the events stay.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::aggregate::{Decider, Event as _};
use crate::envelope::meta;
use crate::modules::{AggregateVisitor, Module, visit_aggregates};

/// What stands where something was sealed and the key is gone.
pub const ERASED: &str = "erased";
/// The place of what is sealed around an event, beside the stored names of events.
pub const METADATA: &str = "metadata";
/// What is personal in [`METADATA`].
pub const IN_METADATA: &[&str] = &[meta::IP, meta::USER_AGENT];

/// What is personal in one type of event. These members are texts, before they are sealed and after.
#[derive(Debug, PartialEq, Eq)]
pub struct Personal {
    /// Stored name.
    pub event_type: &'static str,
    /// The members, by their names in the payload.
    pub members: &'static [&'static str],
    /// Whom they are about.
    pub subject: Subject,
}

/// Whom a member is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Whoever the stream is about: its id is theirs.
    Stream,
    /// Whoever the member of this name is the id of.
    Member(&'static str),
}

impl Personal {
    /// Members about whoever the stream is about.
    pub const fn of_stream(event_type: &'static str, members: &'static [&'static str]) -> Self {
        Self { event_type, members, subject: Subject::Stream }
    }
}

/// What is personal in events of that stored name.
pub fn of(event_type: &str) -> Option<&'static Personal> {
    static ALL: LazyLock<HashMap<&str, &Personal>> =
        LazyLock::new(|| all().map(|personal| (personal.event_type, personal)).collect());
    ALL.get(event_type).copied()
}

/// Every place where something is sealed: stored name, or [`METADATA`], and member.
pub fn places() -> &'static [(&'static str, &'static str)] {
    static PLACES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let metadata = IN_METADATA.iter().map(|member| (METADATA, *member));
        let members = all().flat_map(|it| it.members.iter().map(|member| (it.event_type, *member)));
        metadata.chain(members).collect()
    });
    &PLACES
}

fn all() -> impl Iterator<Item = &'static Personal> {
    struct Collect(Vec<&'static Personal>);
    impl AggregateVisitor for Collect {
        fn visit<D: Decider>(&mut self) {
            self.0.extend(D::Event::PERSONAL);
        }
    }
    let mut found = Collect(Vec::new());
    for module in Module::ALL {
        visit_aggregates(*module, &mut found);
    }
    found.0.into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::catalogue;

    /// Texts of identity's events that are about nobody, or say nothing about whom they are about.
    const ABOUT_NOBODY: &[(&str, &str)] = &[
        // A key is called after what uses it.
        ("identity.api_key.created", "name"),
        ("identity.api_key.created", "scope"),
        ("identity.api_key.created", "secret_sha256"),
        ("identity.api_key.renamed", "name"),
        ("identity.api_key.rotated", "secret_sha256"),
        ("identity.invitation.issued", "token_sha256"),
        ("identity.invitation.resent", "token_sha256"),
        ("identity.issuer.distrusted", "issuer"),
        ("identity.issuer.renamed", "name"),
        ("identity.issuer.suspended", "reason"),
        ("identity.issuer.trusted", "issuer"),
        ("identity.issuer.trusted", "name"),
        ("identity.organization.created", "currency"),
        ("identity.organization.created", "locale"),
        ("identity.organization.created", "name"),
        ("identity.organization.created", "slug"),
        ("identity.organization.created", "time_zone"),
        ("identity.organization.renamed", "name"),
        ("identity.organization.suspended", "reason"),
        ("identity.organization.unit_added", "code"),
        ("identity.organization.unit_added", "name"),
        ("identity.organization.unit_added", "time_zone"),
        ("identity.organization.unit_renamed", "name"),
        // Under a key of the user's own, without which nobody can tell from where it was.
        ("identity.presence.place_first_seen", "place_sha256"),
        ("identity.session.refreshed", "refresh_sha256"),
        ("identity.session.started", "amr"),
        ("identity.session.started", "refresh_sha256"),
        ("identity.session.started", "token_sha256"),
        ("identity.user.email_change_requested", "token_sha256"),
        ("identity.user.password_reset_requested", "token_sha256"),
        ("identity.user.registered", "locale"),
        ("identity.user.registered", "time_zone"),
        ("identity.user.relocated", "locale"),
        ("identity.user.relocated", "time_zone"),
    ];

    /// Whether a schema admits any text, or a list of such.
    fn is_text(schema: &Value) -> bool {
        let kinds = schema["type"].as_array().cloned();
        let kinds = kinds.unwrap_or_else(|| vec![schema["type"].clone()]);
        let is = |kind: &str| kinds.iter().any(|it| it == kind);
        let closed = ["format", "enum", "const"].iter().any(|it| !schema[it].is_null());
        (is("string") && !closed) || (is("array") && is_text(&schema["items"]))
    }

    #[test]
    fn every_text_of_identity_is_declared_personal_or_about_nobody() {
        let mut texts = BTreeSet::new();
        for entry in catalogue::all().iter().filter(|entry| entry.module == "identity") {
            let members = entry.schema["properties"].as_object().unwrap();
            for (member, _) in members.iter().filter(|(_, schema)| is_text(schema)) {
                texts.insert((entry.event_type.clone(), member.clone()));
            }
        }
        let declared: Vec<(&str, &str)> =
            places().iter().copied().filter(|(of, _)| of.starts_with("identity.")).collect();
        let named = declared.iter().chain(ABOUT_NOBODY);
        let named: BTreeSet<_> =
            named.map(|(of, member)| ((*of).to_owned(), (*member).to_owned())).collect();
        assert_eq!(texts, named);
        assert!(declared.iter().all(|place| !ABOUT_NOBODY.contains(place)));
    }

    #[test]
    fn whom_a_member_is_about_is_in_the_event() {
        for entry in catalogue::all() {
            if let Some(Personal { subject: Subject::Member(name), .. }) = of(&entry.event_type) {
                assert_eq!(entry.schema["properties"][name]["format"], "uuid");
            }
        }
    }
}
