//! Names of permissions, `resource.path:action`, and the patterns that a role may be granted.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use uuid::Uuid;

use crate::ids::PermissionId;
use crate::modules::Module;
use crate::permission::Permission;

/// The pattern that covers everything.
pub const EVERYTHING: &str = "*:*";

/// The longest name or pattern, in bytes.
pub const MAX_BYTES: usize = 150;

/// What a well-formed name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One permission.
    Exact,
    /// All permissions of a shape: the action may be `*`, the resource `*` or end in `.*`.
    Pattern,
}

/// The form of a name, or nothing where it is not well formed.
pub fn form(name: &str) -> Option<Form> {
    if name.len() > MAX_BYTES {
        return None;
    }
    let (resource, action) = name.split_once(':')?;
    let stem = resource.strip_suffix(".*").unwrap_or(resource);
    let resource_is_well_formed = resource == "*" || stem.split('.').all(is_segment);
    let well_formed = resource_is_well_formed && (action == "*" || is_segment(action));
    well_formed.then(|| if is_pattern(name) { Form::Pattern } else { Form::Exact })
}

/// Whether a well-formed name is a pattern.
pub fn is_pattern(name: &str) -> bool {
    name.contains('*')
}

fn is_segment(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    first && text.bytes().all(rest)
}

/// Whether all that `name` (itself perhaps a pattern) can mean is covered by `pattern`.
/// `a.*` covers what lies below `a`, at any depth, and not `a` itself.
pub fn covers(pattern: &str, name: &str) -> bool {
    let (Some((resource, action)), Some((of, to))) =
        (pattern.split_once(':'), name.split_once(':'))
    else {
        return false;
    };
    let action_covered = action == "*" || action == to;
    let stem = resource.strip_suffix('*');
    action_covered && (resource == of || stem.is_some_and(|stem| of.starts_with(stem)))
}

/// What two names or patterns both cover, which again is one; nothing where they share nothing.
pub(crate) fn meet(one: &str, other: &str) -> Option<String> {
    let ((resource, action), (of, to)) = (one.split_once(':')?, other.split_once(':')?);
    let resource = narrower(resource, of)?;
    let action = if action == "*" { to } else { action };
    (to == "*" || to == action).then(|| format!("{resource}:{action}"))
}

/// The one of two resources that lies within the other.
fn narrower<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    let within = |inner: &str, outer: &str| {
        inner == outer || outer.strip_suffix('*').is_some_and(|stem| inner.starts_with(stem))
    };
    if within(one, other) { Some(one) } else { within(other, one).then_some(other) }
}

/// Whether a name lies in the name space of one of our modules, where only the catalogue may add.
pub fn is_reserved(name: &str) -> bool {
    let first = name.split(['.', ':']).next().unwrap_or_default();
    first.parse::<Module>().is_ok()
}

/// The permission of the catalogue with that name, and the one shared copy of its name.
pub(crate) fn catalogue(name: &str) -> Option<(Permission, &'static Arc<str>)> {
    CATALOGUE.get(name).map(|(permission, name)| (*permission, name))
}

/// The shared names of the catalogue, in the order of [`Permission::ALL`].
pub(crate) fn catalogue_names() -> impl Iterator<Item = (Permission, &'static Arc<str>)> {
    Permission::ALL.iter().filter_map(|permission| catalogue(permission.name()))
}

static CATALOGUE: LazyLock<BTreeMap<&'static str, (Permission, Arc<str>)>> = LazyLock::new(|| {
    let entry =
        |permission: &Permission| (permission.name(), (*permission, Arc::from(permission.name())));
    Permission::ALL.iter().map(entry).collect()
});

/// A set of permissions of the catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CatalogueSet([u64; WORDS]);

const WORDS: usize = Permission::ALL.len().div_ceil(64);

impl CatalogueSet {
    pub(crate) fn contains(self, permission: Permission) -> bool {
        let (word, bit) = place(permission as usize);
        self.0[word] & bit != 0
    }

    pub(crate) fn insert(&mut self, permission: Permission) {
        let (word, bit) = place(permission as usize);
        self.0[word] |= bit;
    }

    pub(crate) fn remove(&mut self, permission: Permission) {
        let (word, bit) = place(permission as usize);
        self.0[word] &= !bit;
    }

    pub(crate) fn extend(&mut self, other: Self) {
        for (word, others) in self.0.iter_mut().zip(other.0) {
            *word |= others;
        }
    }
}

/// The word and the bit of a number in a set of bits.
pub(crate) fn place(number: usize) -> (usize, u64) {
    (number / 64, 1 << (number % 64))
}

/// Another whenever the catalogue is another.
pub(crate) fn catalogue_edition() -> Uuid {
    let names: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
    Uuid::new_v5(&SPACE, names.join(" ").as_bytes())
}

const SPACE: Uuid = Uuid::from_u128(0x6b1d_0c52_90a7_5c1e_8f4b_2a9d_41e7_7c30);

/// The id of a permission of the catalogue: the same in every organisation, made from its name.
pub fn catalogue_id(permission: Permission) -> PermissionId {
    PermissionId(Uuid::new_v5(&SPACE, permission.name().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_patterns_and_nonsense_apart() {
        for name in ["shop.orders:read", "a:b", "matrix.17:use", "x.y.z-1:do_it"] {
            assert_eq!(form(name), Some(Form::Exact), "{name}");
        }
        for name in ["*:*", "*:read", "shop.*:read", "shop.orders:*", "a.b.*:*"] {
            assert_eq!(form(name), Some(Form::Pattern), "{name}");
        }
        let nonsense = [
            "", ":", "a", "a:", ":a", "A:b", "a b:c", "a..b:c", ".a:b", "a.:b", "a*:b", "*.a:b",
            "a.*.b:c", "a:b:c", "a:b*", ".*:a", "**:a", "-a:b", "a:-b", "ä:b",
        ];
        for name in nonsense {
            assert_eq!(form(name), None, "{name}");
        }
        assert_eq!(form(&format!("{}:a", "a".repeat(MAX_BYTES))), None);
    }

    #[test]
    fn a_pattern_covers_what_it_says_and_no_more() {
        for (pattern, name) in [
            ("*:*", "shop.orders:read"),
            ("*:*", "*:*"),
            ("*:*", "a.*:*"),
            ("*:read", "a.b:read"),
            ("*:read", "a.*:read"),
            ("a.*:read", "a.b:read"),
            ("a.*:read", "a.b.c:read"),
            ("a.*:*", "a.b.*:read"),
            ("a.b:*", "a.b:read"),
            ("a.*:read", "a.*:read"),
            ("a:b", "a:b"),
        ] {
            assert!(covers(pattern, name), "{pattern} covers {name}");
        }
        for (pattern, name) in [
            ("a.*:read", "a:read"),
            ("a.*:read", "ab:read"),
            ("a.*:read", "a.b:write"),
            ("a.*:read", "a.b:*"),
            ("a.*:*", "*:*"),
            ("*:read", "*:*"),
            ("a.b:*", "a.b.c:read"),
            ("a.b.*:*", "a.*:*"),
            ("a:b", "a:c"),
        ] {
            assert!(!covers(pattern, name), "{pattern} does not cover {name}");
        }
    }

    #[test]
    fn two_patterns_meet_in_what_both_cover() {
        for (one, other, both) in [
            ("*:*", "a.b:read", Some("a.b:read")),
            ("a.*:*", "*:read", Some("a.*:read")),
            ("a.*:read", "a.b.*:*", Some("a.b.*:read")),
            ("a.b:read", "a.b:read", Some("a.b:read")),
            ("a.*:*", "a.*:*", Some("a.*:*")),
            ("*:read", "*:write", None),
            ("a.*:*", "b.*:*", None),
            ("a.*:*", "a:read", None),
            ("a.b:read", "a.b.c:read", None),
        ] {
            assert_eq!(meet(one, other).as_deref(), both, "{one} and {other}");
            assert_eq!(meet(other, one).as_deref(), both, "{other} and {one}");
        }
    }

    #[test]
    fn every_name_of_the_catalogue_is_well_formed_reserved_and_has_its_own_id() {
        let mut ids = std::collections::BTreeSet::new();
        for permission in Permission::ALL {
            assert_eq!(form(permission.name()), Some(Form::Exact));
            assert!(is_reserved(permission.name()));
            assert!(ids.insert(catalogue_id(*permission)));
        }
        assert_eq!(catalogue_names().count(), Permission::ALL.len());
        assert!(!is_reserved("shop.orders:read"));
    }
}
