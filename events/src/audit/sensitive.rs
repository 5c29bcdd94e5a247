//! What nobody may read in the trail: the members of events and rows that are personal or secret, by stream.

/// The members whose values the trail masks, by stream name: those of payloads, and the columns that are made of them.
pub const MEMBERS: &[(&str, &[&str])] = &[
    (
        "identity.user",
        &[
            "email",
            "previous",
            "display_name",
            "handle",
            "phone",
            "ip",
            "reason",
            "deactivation_reason",
            "count",
            "login_failures",
            "until",
            "locked_until",
            "subject_sha256",
        ],
    ),
    ("identity.presence", &["place_sha256"]),
    ("identity.session", &["ip", "user_agent", "refresh_sha256"]),
    ("identity.invitation", &["email", "message", "token_sha256"]),
    ("notifications.notification", &["title", "message"]),
    ("collaboration.thread", &["body"]),
    ("backups.backup", &["location"]),
];

/// What stands in place of a value that is masked.
pub const MASK: &str = "***";

/// Words that mark a secret in whatever stream, so that a member forgotten above is masked nevertheless.
const WORDS: &[&str] = &["password", "secret", "token", "credential", "refresh", "private_key"];

/// Whether the trail masks a member of a stream's events, or a column made of them.
pub fn is_sensitive(stream: &str, member: &str) -> bool {
    let of_stream = MEMBERS.iter().filter(|(name, _)| *name == stream);
    of_stream.flat_map(|(_, members)| *members).any(|name| *name == member) || is_secret(member)
}

/// Whether nobody may read a member of this name anywhere, whatever else they may.
pub fn is_secret(member: &str) -> bool {
    WORDS.iter().any(|word| member.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    /// Words that make a member of an event suspect of being personal.
    const PERSONAL: &[&str] = &[
        "email",
        "phone",
        "address",
        "ip",
        "user_agent",
        "handle",
        "display_name",
        "birth",
        "sha256",
    ];
    /// Suspects that tell nothing about a person: digests of files and manifests.
    const HARMLESS: &[(&str, &str)] = &[
        ("exports.export", "sha256"),
        ("files.file", "sha256"),
        ("backups.backup", "manifest_sha256"),
        ("audit.ledger", "sha256"),
    ];

    #[test]
    fn every_member_that_sounds_personal_is_masked_or_known_to_be_harmless() {
        for entry in catalogue::all() {
            let members = entry.schema["properties"].as_object().into_iter().flatten();
            for (name, _) in members.filter(|(name, _)| {
                name.split('_').any(|part| PERSONAL.contains(&part))
                    || PERSONAL.contains(&name.as_str())
            }) {
                let known = HARMLESS.contains(&(entry.aggregate, name.as_str()));
                let masked = is_sensitive(entry.aggregate, name);
                assert!(masked != known, "{}: {name}", entry.event_type);
            }
        }
    }

    #[test]
    fn every_stream_that_is_listed_exists() {
        let all = catalogue::all();
        for (stream, _) in MEMBERS {
            assert!(all.iter().any(|entry| entry.aggregate == *stream), "{stream}");
        }
    }

    #[test]
    fn a_secret_is_masked_wherever_it_turns_up() {
        assert!(is_sensitive("shop.order", "reset_token"));
        assert!(is_sensitive("identity.user", "email"));
        assert!(!is_sensitive("rbac.policy", "name"));
    }
}
