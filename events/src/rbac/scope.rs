//! How far an API key reaches: what of its owner's rights it may use, by name or pattern.

use std::sync::Arc;

use super::name;

/// Names and patterns of permissions; whoever acts within it may do nothing else. A clone shares it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(Arc<[String]>);

impl Scope {
    /// Of these names and patterns.
    pub fn new(grants: impl Into<Arc<[String]>>) -> Self {
        Self(grants.into())
    }

    /// Whether it reaches all that a name or pattern means.
    pub fn allows(&self, grant: &str) -> bool {
        self.0.iter().any(|own| name::covers(own, grant))
    }

    /// What it has in common with a pattern: patterns, and no more than both cover.
    pub(super) fn meet(&self, pattern: &str) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter_map(move |own| name::meet(own, pattern))
            .filter(|it| name::is_pattern(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reaches_what_one_of_its_names_covers_and_no_more() {
        let scope = Scope::new(["shop.till:see".to_owned(), "shop.*:read".to_owned()]);
        for grant in ["shop.till:see", "shop.orders:read", "shop.a.b:read", "shop.*:read"] {
            assert!(scope.allows(grant), "{grant}");
        }
        for grant in ["shop.till:open", "shop.orders:write", "shop:read", "*:read", "*:*", ""] {
            assert!(!scope.allows(grant), "{grant}");
        }
    }

    #[test]
    fn it_meets_a_pattern_in_what_both_cover() {
        let scope = Scope::new(["shop.*:read".to_owned(), "shop.till:see".to_owned()]);
        let met = |pattern| scope.meet(pattern).collect::<Vec<_>>();
        assert_eq!(met("*:*"), ["shop.*:read"]);
        assert_eq!(met("shop.orders:*"), Vec::<String>::new()); // one name is no pattern
        assert_eq!(met("shop.orders.*:*"), ["shop.orders.*:read"]);
        assert_eq!(met("*:write"), Vec::<String>::new());
        assert_eq!(met("stock.*:read"), Vec::<String>::new());
    }
}
