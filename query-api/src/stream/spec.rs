//! What can be subscribed to, and who may.

use events::{Module, Permission, UserId};
use platform::dataset::{Bind, Statement};

use super::lane::Entry;

/// What a stream is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spec {
    /// Everything of the organisation: `all`.
    All,
    /// Everything of one module: `category/<module>`.
    Category(Module),
    /// One aggregate: `<aggregate type>/<id>`.
    Aggregate {
        /// Its type, `<module>.<aggregate>`.
        kind: String,
        /// Its id.
        id: String,
    },
    /// One piece of background work: `jobs/<id>`.
    Job(String),
    /// The caller's own notifications: `notifications/me`.
    MyNotifications(UserId),
}

/// The aggregates that are pieces of background work.
pub(crate) const JOBS: [&str; 2] = ["exports.export", "backups.backup"];
const NOTIFICATION: &str = "notifications.notification";

/// What a caller needs to follow a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it is about the caller.
    Nothing,
    /// This permission.
    Permission(Permission),
    /// The piece of work is the caller's own, or one of the permissions for others' work.
    Job,
}

impl Spec {
    /// Reads the name of a stream; nothing when there is no such stream.
    pub(crate) fn parse(name: &str, me: Option<UserId>) -> Option<Self> {
        if name == "all" {
            return Some(Self::All);
        }
        let (kind, id) = name.split_once('/')?;
        if id.is_empty() || id.contains('/') {
            return None;
        }
        match kind {
            "category" => id.parse().ok().map(Self::Category),
            "jobs" => Some(Self::Job(id.to_owned())),
            "notifications" => me.filter(|_| id == "me").map(Self::MyNotifications),
            kind if kind.contains('.') => {
                Some(Self::Aggregate { kind: kind.to_owned(), id: id.to_owned() })
            }
            _ => None,
        }
    }

    /// What following it needs.
    pub(crate) fn need(&self) -> Need {
        match self {
            Self::All | Self::Category(_) | Self::Aggregate { .. } => {
                Need::Permission(Permission::AuditEventsRead)
            }
            Self::Job(_) => Need::Job,
            Self::MyNotifications(_) => Need::Nothing,
        }
    }

    /// Whether an event belongs to it.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Category(module) => entry.module() == module.name(),
            Self::Aggregate { kind, id } => {
                entry.aggregate_type == *kind && entry.aggregate_id == *id
            }
            Self::Job(id) => {
                entry.aggregate_id == *id && JOBS.contains(&entry.aggregate_type.as_str())
            }
            Self::MyNotifications(user) => {
                entry.aggregate_type == NOTIFICATION && entry.concerns == Some(*user)
            }
        }
    }

    /// The same as a condition on `log.events e`; for notifications only the outer part of it.
    pub(crate) fn condition(&self, statement: &mut Statement) -> String {
        let mut bound = |text: &str| statement.bind(Bind::Text(Some(text.to_owned())));
        match self {
            Self::All => "true".to_owned(),
            Self::Category(module) => {
                format!("e.aggregate_type like ${}", bound(&format!("{}.%", module.name())))
            }
            Self::Aggregate { kind, id } => {
                let (kind, id) = (bound(kind), bound(id));
                format!("e.aggregate_type = ${kind} and e.aggregate_id = ${id}")
            }
            Self::Job(id) => {
                let id = bound(id);
                let kinds = statement.bind(Bind::Texts(JOBS.map(str::to_owned).to_vec()));
                format!("e.aggregate_type = any (${kinds}) and e.aggregate_id = ${id}")
            }
            Self::MyNotifications(_) => format!("e.aggregate_type = ${}", bound(NOTIFICATION)),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    #[test]
    fn names_are_streams_or_nothing() {
        let me = Some(id(1));
        let parse = |name| Spec::parse(name, me);
        assert_eq!(parse("all"), Some(Spec::All));
        assert_eq!(parse("category/rbac"), Some(Spec::Category(Module::Rbac)));
        assert_eq!(parse("jobs/7"), Some(Spec::Job("7".into())));
        assert_eq!(parse("notifications/me"), Some(Spec::MyNotifications(id(1))));
        let aggregate = Spec::Aggregate { kind: "rbac.policy".into(), id: "x".into() };
        assert_eq!(parse("rbac.policy/x"), Some(aggregate));
        for name in ["", "al", "all/x", "category/none", "jobs/", "notifications/you", "rbac/x"] {
            assert_eq!(parse(name), None, "{name}");
        }
        assert_eq!(Spec::parse("notifications/me", None), None);
    }
}
