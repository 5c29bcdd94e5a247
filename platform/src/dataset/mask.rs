//! Which members of a record nobody may read in a history, whatever else they may.

/// Words that mark such a member.
const SENSITIVE: &[&str] = &["password", "secret", "token", "credential", "refresh", "private_key"];

/// What stands in its place.
pub const MASK: &str = "***";

/// Whether a member of this name is one of them.
pub fn is_secret(name: &str) -> bool {
    SENSITIVE.iter().any(|word| name.contains(word))
}
