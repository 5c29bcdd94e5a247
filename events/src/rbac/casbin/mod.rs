//! An access policy in Casbin's CSV format: what is written of it, and what is read back.
//!
//! `p, role, resource, action, domain` grants, `g, user, role, domain` assigns and `g, role, role, domain`
//! inherits. A domain is `*` for the whole organisation, or the path of a unit from the top with `*`
//! behind it, so that Casbin's `keyMatch` finds what lies below. `g2` is what one permission brings
//! with it, `g3` which permissions there are. Access to a unit is a `g` line of the role of its level,
//! marked behind what Casbin reads. What it has no line for stands behind `#`, which it leaves out;
//! roles begin with `role:`, so that no user is taken for one.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::name;
use super::policy::{Policy, Role};
use super::unit_access::Level;
use crate::identity::organization::Organization;
use crate::ids::{RoleId, UnitId, UserId};

#[cfg(test)]
mod tests;

/// The model that these lines are written for.
pub const MODEL: &str = include_str!("model.conf");

const ROLE: &str = "role:";
const EVERYWHERE: &str = "*";
const PERMISSION: &str = "permission";
/// What marks a role that is held as access to a unit.
const ACCESS: &str = "access";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `# role, ...`: what a role is besides its grants.
    Role(RoleLine),
    /// `# set, ...`: roles that exclude each other.
    Set(SetLine),
    /// `g`: the user has access to a unit, which is the role of its level there.
    Access {
        /// The user's handle.
        who: String,
        /// How far it goes.
        level: Level,
        /// The unit, with all above it, itself first.
        unit_path: Vec<UnitId>,
        /// Until when; Casbin does not read it.
        expires_at: Option<Timestamp>,
    },
    /// `g3`: there is this permission.
    Permission(String),
    /// `g2`: the one permission, or every one that the pattern covers, brings the other.
    Brings(String, String),
    /// `p`: the role is granted the name or pattern.
    Grant {
        /// Its code.
        role: String,
        /// The name or pattern.
        permission: String,
        /// The unit it belongs to, with all above it, itself first.
        unit_path: Vec<UnitId>,
    },
    /// `g`: the one has the other, a user a role or a role another.
    Has {
        /// A user's handle, or a role's code.
        who: Subject,
        /// The code of a role.
        role: String,
        /// The unit it counts in, with all above it, itself first.
        unit_path: Vec<UnitId>,
        /// Until when; Casbin does not read it.
        expires_at: Option<Timestamp>,
    },
}

/// The first name of a `g` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A role, by its code.
    Role(String),
    /// A name without the prefix of roles: a user, unless another line says that it is a role.
    Name(String),
}

/// What a role is besides its grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleLine {
    /// Its code.
    pub code: String,
    /// Its level.
    pub level: u16,
    /// Whether it is held by grant of the policy itself.
    pub protected: bool,
    /// The unit it belongs to, with all above it, itself first.
    pub unit_path: Vec<UnitId>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// Roles that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetLine {
    /// The name of the set.
    pub name: String,
    /// Nobody may have as many of the roles, inherited ones included.
    pub cardinality: u16,
    /// The codes of the roles, in order.
    pub roles: Vec<String>,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It begins with something else.
    #[error("a line begins with p, g, g2 or g3, not with {0}")]
    Kind(String),
    /// It has too few or too many members.
    #[error("a line that begins with {0} has another number of members")]
    Members(String),
    /// A member cannot be what it must be.
    #[error("{0} cannot be read")]
    Member(String),
    /// The permission has no such form.
    #[error("{0} is no permission of the form resource.path:action")]
    Permission(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => {
                let RoleLine { code, level, protected, unit_path, name, description } = role;
                let kind = if *protected { "protected" } else { "plain" };
                let (domain, name) = (domain(unit_path), encoded(name));
                write!(f, "# role, {ROLE}{code}, {level}, {kind}, {domain}, {name}")?;
                description.iter().try_for_each(|text| write!(f, ", {}", encoded(text)))
            }
            Self::Set(SetLine { name, cardinality, roles }) => {
                write!(f, "# set, {}, {cardinality}", encoded(name))?;
                roles.iter().try_for_each(|code| write!(f, ", {ROLE}{code}"))
            }
            Self::Access { who, level, unit_path, expires_at } => {
                let (who, code, domain) = (encoded(who), level.code(), domain(unit_path));
                write!(f, "g, {who}, {ROLE}{code}, {domain}, {ACCESS}")?;
                expires_at.iter().try_for_each(|end| write!(f, ", {end}"))
            }
            Self::Permission(name) => write!(f, "g3, {name}, {PERMISSION}"),
            Self::Brings(name, implied) => write!(f, "g2, {name}, {implied}"),
            Self::Grant { role, permission, unit_path } => {
                let (resource, action) = permission.split_once(':').unwrap_or((permission, ""));
                write!(f, "p, {ROLE}{role}, {resource}, {action}, {}", domain(unit_path))
            }
            Self::Has { who, role, unit_path, expires_at } => {
                match who {
                    Subject::Role(code) => write!(f, "g, {ROLE}{code}, ")?,
                    Subject::Name(handle) => write!(f, "g, {}, ", encoded(handle))?,
                }
                write!(f, "{ROLE}{role}, {}", domain(unit_path))?;
                expires_at.iter().try_for_each(|end| write!(f, ", {end}"))
            }
        }
    }
}

/// Every line of a policy but those of its holders: roles, permissions, grants and inheritance.
pub fn lines(policy: &Policy, organization: &Organization) -> Vec<Line> {
    let mut roles: Vec<&Role> = policy.roles().map(|(_, role)| role).collect();
    roles.sort_by(|a, b| (a.facts.level, &a.facts.code).cmp(&(b.facts.level, &b.facts.code)));
    let path =
        |role: &Role| role.facts.unit_id.map(|unit| organization.path(unit)).unwrap_or_default();
    let mut lines: Vec<Line> = roles.iter().map(|role| role_line(role, path(role))).collect();
    lines.extend(sets(policy));
    lines.extend(permissions(policy, &roles));
    for role in &roles {
        let usable = |grant: &&std::sync::Arc<str>| name::is_pattern(grant) || policy.knows(grant);
        lines.extend(role.grants.iter().filter(usable).map(|grant| Line::Grant {
            role: role.facts.code.clone(),
            permission: grant.to_string(),
            unit_path: path(role),
        }));
    }
    for role in &roles {
        // What a role inherits counts where the role itself does.
        let juniors = role.juniors.iter().filter_map(|id| policy.role(*id));
        let mut juniors: Vec<_> = juniors.map(|junior| junior.facts.code.clone()).collect();
        juniors.sort_unstable();
        lines.extend(juniors.into_iter().map(|junior| Line::Has {
            who: Subject::Role(role.facts.code.clone()),
            role: junior,
            unit_path: path(role),
            expires_at: None,
        }));
    }
    lines
}

/// The lines of what one user holds at a moment.
pub fn held_by(
    policy: &Policy,
    organization: &Organization,
    (user_id, handle, access): (UserId, &str, &super::user_access::UserAccess),
    now: Timestamp,
) -> Vec<Line> {
    let path =
        |unit_id: Option<UnitId>| unit_id.map(|unit| organization.path(unit)).unwrap_or_default();
    let units = access.units().iter().filter(|held| held.is_live(now));
    let units = units.filter_map(|held| {
        held.level.role(policy)?; // without the role it means nothing
        let (who, level, unit_path) = (handle.to_owned(), held.level, path(Some(held.unit_id)));
        let known = !unit_path.is_empty();
        known.then_some(Line::Access { who, level, unit_path, expires_at: held.expires_at })
    });
    let held = policy.protected_grants(user_id).iter().chain(access.assignments());
    let live = held.filter(|held| held.is_live(now));
    live.filter_map(|held| {
        let role = policy.role(held.role_id)?.facts.code.clone();
        let unit_path = path(held.unit_id);
        let known = held.unit_id.is_none() || !unit_path.is_empty();
        let (who, expires_at) = (Subject::Name(handle.to_owned()), held.expires_at);
        known.then_some(Line::Has { who, role, unit_path, expires_at })
    })
    .chain(units)
    .collect()
}

/// The sets of roles that exclude each other, by their names.
fn sets(policy: &Policy) -> Vec<Line> {
    let code = |id: &RoleId| policy.role(*id).map(|role| role.facts.code.clone());
    let sets = policy.exclusive_sets().map(|(_, set)| {
        let mut roles: Vec<String> = set.roles.iter().filter_map(code).collect();
        roles.sort_unstable();
        SetLine { name: set.name.clone(), cardinality: set.cardinality, roles }
    });
    let mut sets: Vec<SetLine> = sets.collect();
    sets.sort_by(|a, b| (&a.name, &a.roles).cmp(&(&b.name, &b.roles)));
    sets.into_iter().map(Line::Set).collect()
}

fn role_line(role: &Role, unit_path: Vec<UnitId>) -> Line {
    let facts = &role.facts;
    Line::Role(RoleLine {
        code: facts.code.clone(),
        level: facts.level,
        protected: facts.protected,
        unit_path,
        name: facts.name.clone(),
        description: facts.description.clone(),
    })
}

/// The permissions that can authorise, what they bring, and what the patterns bring by covering them.
fn permissions(policy: &Policy, roles: &[&Role]) -> Vec<Line> {
    let mut custom: Vec<_> =
        policy.custom_permissions().iter().filter(|(_, made)| !made.retired).collect();
    custom.sort_by_key(|(_, made)| made.number);
    let names = name::catalogue_names().map(|(_, name)| name.to_string());
    let own = custom.iter().map(|(name, _)| name.to_string());
    let mut lines: Vec<Line> = names.chain(own).map(Line::Permission).collect();
    for (name, made) in &custom {
        let usable = made.implies.iter().filter(|implied| policy.knows(implied));
        lines.extend(usable.map(|implied| Line::Brings(name.to_string(), implied.to_string())));
    }
    let patterns: BTreeSet<&str> =
        roles.iter().flat_map(|role| role.grants.patterns()).map(|pattern| &**pattern).collect();
    for pattern in patterns {
        let bringing = custom.iter().filter(|(_, made)| !made.implies.is_empty());
        let covered = bringing.filter(|(name, _)| name::covers(pattern, name));
        lines.extend(covered.map(|(name, _)| Line::Brings(pattern.to_owned(), name.to_string())));
    }
    lines
}

/// Reads a line; nothing where it is empty or a remark. Lines that others wrote, without domains and without the prefix of
/// roles, are read as well.
pub fn read(line: &str) -> Result<Option<Line>, Fault> {
    let members: Vec<&str> = line.split(',').map(str::trim).collect();
    match members.as_slice() {
        [""] | [] => Ok(None),
        ["# role", rest @ ..] => read_role(rest).map(|role| Some(Line::Role(role))),
        ["# set", name, cardinality, roles @ ..] => read_set(name, cardinality, roles).map(Some),
        [first, ..] if first.starts_with('#') => Ok(None),
        ["p", role, resource, action] => grant(role, (resource, action), EVERYWHERE).map(Some),
        ["p", role, resource, action, domain] => grant(role, (resource, action), domain).map(Some),
        ["g", who, role] => has(who, role, (EVERYWHERE, None)).map(Some),
        ["g", who, role, domain] => has(who, role, (domain, None)).map(Some),
        ["g", who, role, domain, ACCESS] => access(who, role, (domain, None)).map(Some),
        ["g", who, role, domain, ACCESS, end] => access(who, role, (domain, Some(end))).map(Some),
        ["g", who, role, domain, end] => has(who, role, (domain, Some(end))).map(Some),
        ["g2", name, implied] => Ok(Some(Line::Brings(permission(name)?, permission(implied)?))),
        ["g3", name, PERMISSION] => Ok(Some(Line::Permission(permission(name)?))),
        [kind @ ("p" | "g" | "g2" | "g3"), ..] => Err(Fault::Members((*kind).to_owned())),
        [kind, ..] => Err(Fault::Kind((*kind).to_owned())),
    }
}

fn read_role(members: &[&str]) -> Result<RoleLine, Fault> {
    let refused = || Fault::Members("# role".to_owned());
    let [code, level, kind, domain, name, description @ ..] = members else {
        return Err(refused());
    };
    let description = match description {
        [] => None,
        [text] => Some(decoded(text)?),
        [..] => return Err(refused()),
    };
    let wrong = |member: &str| Fault::Member(member.to_owned());
    let protected = match *kind {
        "protected" => true,
        "plain" => false,
        _ => return Err(wrong(kind)),
    };
    Ok(RoleLine {
        code: code.strip_prefix(ROLE).ok_or_else(|| wrong(code))?.to_owned(),
        level: level.parse().map_err(|_| wrong(level))?,
        protected,
        unit_path: unit_path(domain)?,
        name: decoded(name)?,
        description,
    })
}

fn read_set(name: &str, cardinality: &str, roles: &[&str]) -> Result<Line, Fault> {
    let wrong = |member: &str| Fault::Member(member.to_owned());
    let code = |role: &&str| role.strip_prefix(ROLE).map(str::to_owned).ok_or_else(|| wrong(role));
    Ok(Line::Set(SetLine {
        name: decoded(name)?,
        cardinality: cardinality.parse().map_err(|_| wrong(cardinality))?,
        roles: roles.iter().map(code).collect::<Result<_, _>>()?,
    }))
}

fn access(who: &str, role: &str, (domain, end): (&str, Option<&str>)) -> Result<Line, Fault> {
    let wrong = |member: &str| Fault::Member(member.to_owned());
    let code = role.strip_prefix(ROLE).unwrap_or(role);
    let level = Level::ALL.iter().find(|level| level.code() == code);
    Ok(Line::Access {
        who: decoded(who)?,
        level: *level.ok_or_else(|| wrong(role))?,
        unit_path: unit_path(domain)?,
        expires_at: ending(end)?,
    })
}

fn ending(end: Option<&str>) -> Result<Option<Timestamp>, Fault> {
    let wrong = |_| Fault::Member(end.unwrap_or_default().to_owned());
    end.map(str::parse).transpose().map_err(wrong)
}

fn grant(role: &str, (resource, action): (&str, &str), domain: &str) -> Result<Line, Fault> {
    let permission = permission(&format!("{resource}:{action}"))?;
    let role = role.strip_prefix(ROLE).unwrap_or(role).to_owned();
    Ok(Line::Grant { role, permission, unit_path: unit_path(domain)? })
}

fn has(who: &str, role: &str, (domain, end): (&str, Option<&str>)) -> Result<Line, Fault> {
    let who = match who.strip_prefix(ROLE) {
        Some(code) => Subject::Role(code.to_owned()),
        None => Subject::Name(decoded(who)?),
    };
    Ok(Line::Has {
        who,
        role: role.strip_prefix(ROLE).unwrap_or(role).to_owned(),
        unit_path: unit_path(domain)?,
        expires_at: ending(end)?,
    })
}

fn permission(name: &str) -> Result<String, Fault> {
    match name::form(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(Fault::Permission(name.to_owned())),
    }
}

/// The domain of a place; also what to ask Casbin with, without the `*` at its end, and `/` for the whole organisation.
pub fn domain(unit_path: &[UnitId]) -> String {
    if unit_path.is_empty() {
        return EVERYWHERE.to_owned();
    }
    let mut domain = String::from("/");
    for unit in unit_path.iter().rev() {
        let _never = write!(domain, "{unit}/");
    }
    domain + "*"
}

fn unit_path(domain: &str) -> Result<Vec<UnitId>, Fault> {
    if domain == EVERYWHERE {
        return Ok(Vec::new());
    }
    let wrong = || Fault::Member(domain.to_owned());
    let inner = domain.strip_prefix('/').and_then(|rest| rest.strip_suffix("/*"));
    let units = inner.ok_or_else(wrong)?.rsplit('/').map(str::parse);
    units.collect::<Result<_, _>>().map_err(|_| wrong())
}

/// Everything but letters, digits and a few signs as `%` and two hexadecimal digits: Casbin knows no quotes.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._@-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _never = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decoded(text: &str) -> Result<String, Fault> {
    let wrong = || Fault::Member(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let byte = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(byte.ok_or_else(wrong)?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
