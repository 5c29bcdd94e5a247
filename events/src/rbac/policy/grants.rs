//! What is granted to one role: to be read by name, and to be asked as a set.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::permission::Permission;
use crate::rbac::name::{self, CatalogueSet};

/// What is granted to a role itself: names and patterns, each in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grants {
    names: Vec<Arc<str>>,
    patterns: Vec<Arc<str>>,
    // The same names once more, for sets: a policy at size is asked far more often than changed.
    catalogue: CatalogueSet,
    custom: Vec<u32>,
}

/// A permission as sets keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Of the catalogue.
    Catalogue(Permission),
    /// Of the organisation's own, by its number.
    Custom(u32),
}

impl Grants {
    /// Names and patterns.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter().chain(&self.patterns)
    }

    /// The patterns.
    pub fn patterns(&self) -> &[Arc<str>] {
        &self.patterns
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len() + self.patterns.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether exactly this name or pattern is granted.
    pub fn contains(&self, grant: &str) -> bool {
        let list = if name::is_pattern(grant) { &self.patterns } else { &self.names };
        list.binary_search_by(|held| (**held).cmp(grant)).is_ok()
    }

    /// The grant that covers a permission: its own name, or a pattern.
    pub(crate) fn covering<'a>(&'a self, key: Key, name: &'a str) -> Option<&'a str> {
        let by_name = match key {
            Key::Catalogue(permission) => self.catalogue.contains(permission),
            Key::Custom(number) => self.custom.binary_search(&number).is_ok(),
        };
        let pattern = || self.patterns.iter().find(|pattern| name::covers(pattern, name));
        if by_name { Some(name) } else { pattern().map(|pattern| &**pattern) }
    }

    pub(crate) fn catalogue(&self) -> CatalogueSet {
        self.catalogue
    }

    /// The numbers of the permissions of the organisation's own, in order.
    pub(crate) fn custom(&self) -> &[u32] {
        &self.custom
    }

    pub(super) fn add(&mut self, added: impl IntoIterator<Item = (Arc<str>, Option<Key>)>) {
        for (name, key) in added {
            match key {
                Some(Key::Catalogue(permission)) => self.catalogue.insert(permission),
                Some(Key::Custom(number)) => self.custom.push(number),
                None => {}
            }
            let pattern = name::is_pattern(&name);
            if pattern { &mut self.patterns } else { &mut self.names }.push(name);
        }
        for list in [&mut self.names, &mut self.patterns] {
            list.sort_unstable();
            list.dedup();
        }
        self.custom.sort_unstable();
        self.custom.dedup();
    }

    pub(super) fn remove(&mut self, removed: &BTreeMap<&str, Option<Key>>) {
        self.names.retain(|name| !removed.contains_key(&**name));
        self.patterns.retain(|pattern| !removed.contains_key(&**pattern));
        for key in removed.values().flatten() {
            match key {
                Key::Catalogue(permission) => self.catalogue.remove(*permission),
                Key::Custom(number) => self.custom.retain(|held| held != number),
            }
        }
    }
}
