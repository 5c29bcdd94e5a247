//! Which events an address wants: names, or the beginnings of names.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue;
use crate::modules::Module;

/// What stands for all that comes below.
pub const EVERY: &str = "*";

/// The stored names of every event there is to be told of. What is recorded of addresses is told to none of them: an address that
/// does not answer would otherwise hear that it does not.
static TOLD: LazyLock<Vec<String>> = LazyLock::new(|| {
    let own = Module::Webhooks.name();
    let all = catalogue::all().into_iter().filter(|entry| entry.module != own);
    all.map(|entry| entry.event_type).collect()
});

/// One wish: a stored name such as `rbac.policy.role_created`, or its beginning and a star such as `rbac.policy.*`, `rbac.*`, `*`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Wanted(String);

impl Wanted {
    /// Reads a wish; nothing where it is not written as one, or there is no such event.
    pub fn read(text: &str) -> Option<Self> {
        let wanted = Self(text.trim().to_owned());
        let begins = wanted.0.strip_suffix(EVERY);
        let is_whole = begins.is_none_or(|begins| begins.is_empty() || begins.ends_with('.'));
        let is_one = is_whole && !begins.unwrap_or(&wanted.0).contains('*');
        (is_one && TOLD.iter().any(|name| wanted.is(name))).then_some(wanted)
    }

    /// Whether an event of that stored name is wanted.
    pub fn is(&self, event_type: &str) -> bool {
        match self.0.strip_suffix(EVERY) {
            Some(begins) => event_type.starts_with(begins),
            None => event_type == self.0,
        }
    }

    /// The stored names of every event there is to be told of.
    pub fn all() -> &'static [String] {
        &TOLD
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_name_or_the_beginning_of_some() {
        for (text, of, not) in [
            ("*", "rbac.policy.role_created", ""),
            ("rbac.*", "rbac.policy.role_created", "identity.user.locked"),
            ("rbac.policy.*", "rbac.policy.role_created", "rbac.user_access.role_assigned"),
            (" rbac.policy.role_created ", "rbac.policy.role_created", "rbac.policy.role_renamed"),
        ] {
            let wanted = Wanted::read(text).expect(text);
            assert!(wanted.is(of), "{text}");
            assert!(not.is_empty() || !wanted.is(not), "{text}");
        }
    }

    #[test]
    fn what_nothing_can_be_told_of_is_no_wish() {
        for text in [
            "",
            "rbac",
            "rbac.",
            "rba*",
            "*.role_created",
            "rbac.**",
            "**",
            "rbac.policy.role_created.*",
            "RBAC.*",
            "shop.*",
            "webhooks.*",
            "webhooks.endpoint.registered",
        ] {
            assert_eq!(Wanted::read(text), None, "{text}");
        }
        assert!(Wanted::all().iter().all(|name| !name.starts_with("webhooks.")));
    }
}
