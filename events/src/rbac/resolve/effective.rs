//! The set of all that somebody may do, and how it is put together.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::permission::Permission;
use crate::rbac::name::{self, CatalogueSet, EVERYTHING};
use crate::rbac::policy::{CustomPermission, CustomPermissions, Grants, Key, Policy};
use crate::rbac::scope::Scope;

/// All that a user may do at a unit, until [`Effective::valid_until`]; a clone shares it.
///
/// Written out it stands without its policy, for as long as [`super::edition`] stays the same.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Effective {
    catalogue: CatalogueSet,
    custom: Custom,
    patterns: Arc<[Arc<str>]>,
    max_level: Option<u16>,
    valid_until: Option<Timestamp>,
}

/// What it holds of the organisation's own permissions.
#[derive(Debug, Clone)]
enum Custom {
    /// What the policy knows, and a bit for each by number; patterns count besides.
    Numbered { known: CustomPermissions, bits: Arc<[u64]> },
    /// All of it by name, in order.
    Named(Arc<[Arc<str>]>),
}

impl Default for Custom {
    fn default() -> Self {
        Self::Named(Arc::default())
    }
}

/// An effective set written out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    catalogue: Vec<Arc<str>>,
    custom: Vec<Arc<str>>,
    patterns: Vec<Arc<str>>,
    max_level: Option<u16>,
    valid_until: Option<Timestamp>,
}

impl Effective {
    /// Whether it holds a permission of the catalogue.
    pub fn permits(&self, permission: Permission) -> bool {
        self.catalogue.contains(permission)
    }

    /// Whether it holds the permission of that name; never where no permission has that name.
    pub fn allows(&self, name: &str) -> bool {
        match name::catalogue(name) {
            Some((permission, _)) => self.permits(permission),
            None => match &self.custom {
                Custom::Numbered { known, bits } => {
                    known.get(name).is_some_and(|made| self.holds(bits, name, made))
                }
                Custom::Named(names) => names.binary_search_by(|held| (**held).cmp(name)).is_ok(),
            },
        }
    }

    /// Whether it holds all that a name or pattern can ever mean.
    pub fn contains(&self, grant: &str) -> bool {
        if name::is_pattern(grant) { self.covers(grant) } else { self.allows(grant) }
    }

    /// Whether it holds everything.
    pub fn is_everything(&self) -> bool {
        self.patterns.iter().any(|pattern| &**pattern == EVERYTHING)
    }

    /// The patterns it was built from, in order.
    pub fn patterns(&self) -> &[Arc<str>] {
        &self.patterns
    }

    /// Every permission it holds by name, patterns written out, in order.
    pub fn names(&self) -> Vec<Arc<str>> {
        let names = self.catalogue_names().cloned().chain(self.custom_names());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What of it a scope reaches; its level stays.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Self {
        let mut catalogue = CatalogueSet::default();
        for (permission, name) in name::catalogue_names() {
            if self.permits(permission) && scope.allows(name) {
                catalogue.insert(permission);
            }
        }
        let custom = self.custom_names().into_iter().filter(|name| scope.allows(name));
        let patterns: BTreeSet<Arc<str>> =
            self.patterns.iter().flat_map(|own| scope.meet(own)).map(Arc::from).collect();
        Self {
            catalogue,
            custom: Custom::Named(custom.collect()),
            patterns: patterns.into_iter().collect(),
            max_level: self.max_level,
            valid_until: self.valid_until,
        }
    }

    fn catalogue_names(&self) -> impl Iterator<Item = &'static Arc<str>> {
        let all = name::catalogue_names();
        all.filter(|(permission, _)| self.permits(*permission)).map(|(_, name)| name)
    }

    /// What it holds of the organisation's own permissions, in order.
    fn custom_names(&self) -> Vec<Arc<str>> {
        match &self.custom {
            Custom::Numbered { known, bits } => {
                let held = known.iter().filter(|(name, made)| self.holds(bits, name, made));
                held.map(|(name, _)| Arc::clone(name)).collect()
            }
            Custom::Named(names) => names.to_vec(),
        }
    }

    /// The highest level among the roles it comes from.
    pub fn max_level(&self) -> Option<u16> {
        self.max_level
    }

    /// When the first of the assignments it comes from ends; it must not be used from then on.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }

    fn holds(&self, bits: &[u64], name: &str, made: &CustomPermission) -> bool {
        let (word, bit) = name::place(made.number as usize);
        let named = bits.get(word).is_some_and(|bits| bits & bit != 0);
        named || (!made.retired && self.covers(name))
    }

    fn covers(&self, grant: &str) -> bool {
        self.patterns.iter().any(|pattern| name::covers(pattern, grant))
    }
}

impl From<Effective> for Written {
    fn from(effective: Effective) -> Self {
        Self {
            catalogue: effective.catalogue_names().cloned().collect(),
            custom: effective.custom_names(),
            patterns: effective.patterns.to_vec(),
            max_level: effective.max_level,
            valid_until: effective.valid_until,
        }
    }
}

impl TryFrom<Written> for Effective {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut catalogue = CatalogueSet::default();
        for name in &written.catalogue {
            let (permission, _) = name::catalogue(name)
                .ok_or_else(|| format!("{name} is no permission of the catalogue"))?;
            catalogue.insert(permission);
        }
        let mut custom = written.custom;
        custom.sort_unstable();
        Ok(Self {
            catalogue,
            custom: Custom::Named(custom.into()),
            patterns: written.patterns.into(),
            max_level: written.max_level,
            valid_until: written.valid_until,
        })
    }
}

/// An effective set in the making.
pub(super) struct Draft<'a> {
    policy: &'a Policy,
    catalogue: CatalogueSet,
    custom: Vec<u64>,
    patterns: BTreeSet<&'a Arc<str>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        let custom = vec![0; policy.custom_count().div_ceil(64)];
        let (catalogue, patterns) = (CatalogueSet::default(), BTreeSet::new());
        Self { policy, catalogue, custom, patterns }
    }

    /// Takes in what is granted to a role itself.
    pub(super) fn add(&mut self, grants: &'a Grants) {
        self.catalogue.extend(grants.catalogue());
        self.patterns.extend(grants.patterns());
        for number in grants.custom() {
            self.set(*number);
        }
    }

    /// Works out what the patterns mean, what was retired and what is implied.
    pub(super) fn finish(
        mut self,
        max_level: Option<u16>,
        valid_until: Option<Timestamp>,
    ) -> Effective {
        if !self.patterns.is_empty() {
            for (permission, name) in name::catalogue_names() {
                if self.covers(name) {
                    self.catalogue.insert(permission);
                }
            }
        }
        for number in self.policy.retired() {
            self.clear(number);
        }
        self.add_implied();
        Effective {
            catalogue: self.catalogue,
            custom: Custom::Numbered {
                known: self.policy.custom_permissions().clone(),
                bits: self.custom.into(),
            },
            patterns: self.patterns.into_iter().cloned().collect(),
            max_level,
            valid_until,
        }
    }

    /// Follows what is implied to its end.
    fn add_implied(&mut self) {
        let implying = self.policy.implying();
        let held = implying.filter(|(number, name)| self.has(*number) || self.covers(name));
        let mut open: Vec<_> = held.filter_map(|(_, name)| self.usable(name)).collect();
        while let Some(made) = open.pop() {
            for implied in &made.implies {
                match self.policy.key(implied) {
                    Some(Key::Catalogue(permission)) => self.catalogue.insert(permission),
                    Some(Key::Custom(number)) if !self.has(number) => {
                        if let Some(made) = self.usable(implied) {
                            self.set(number);
                            open.push(made);
                        }
                    }
                    Some(Key::Custom(_)) | None => {}
                }
            }
        }
    }

    fn covers(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| name::covers(pattern, name))
    }

    fn usable(&self, name: &str) -> Option<&'a CustomPermission> {
        self.policy.custom_permission(name).filter(|made| !made.retired)
    }

    fn has(&self, number: u32) -> bool {
        let (word, bit) = name::place(number as usize);
        self.custom.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn set(&mut self, number: u32) {
        let (word, bit) = name::place(number as usize);
        if let Some(bits) = self.custom.get_mut(word) {
            *bits |= bit;
        }
    }

    fn clear(&mut self, number: u32) {
        let (word, bit) = name::place(number as usize);
        if let Some(bits) = self.custom.get_mut(word) {
            *bits &= !bit;
        }
    }
}
