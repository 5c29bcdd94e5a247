//! Filters over events as they pass, in the grammar of lists.

use events::UserId;
use platform::clock;
use platform::cloud_event;
use platform::dataset::filter::{self, Comparison, Filter, Operator, Value};
use platform::dataset::{Refused, moment};
use platform::log::Record;
use serde_json::Value as Json;

use super::lane::Entry;

/// What an event can be filtered by; `data` and what is in it as well.
const MEMBERS: &[&str] = &[
    "id",
    "type",
    "subject",
    "aggregate_type",
    "module",
    "time",
    "sequence",
    "position",
    "authid",
    "authtype",
    "correlationid",
    "causationid",
    "data",
];

/// A filter that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    filter: Filter,
    me: Option<String>,
    needs_json: bool,
}

impl Matcher {
    /// Reads a filter.
    pub(crate) fn parse(text: &str, me: Option<UserId>) -> Result<Self, Refused> {
        let filter = filter::parse(text)?;
        let mut needs_json = false;
        check(&filter, &mut needs_json)?;
        Ok(Self { filter, me: me.map(|me| me.to_string()), needs_json })
    }

    /// Whether it holds for an event as it stands in the log.
    pub(crate) fn passes(&self, record: &Record<'_>) -> bool {
        let mut json = String::new();
        if self.needs_json {
            cloud_event::write(record, &mut json);
        }
        self.holds(&Entry {
            position: record.position,
            aggregate_type: record.aggregate_type.to_owned(),
            aggregate_id: record.aggregate_id.to_owned(),
            event_type: record.event_type.to_owned(),
            concerns: None,
            json,
            cursor: String::new(),
        })
    }

    /// Whether it holds for an event.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        let json = if self.needs_json {
            serde_json::from_str(&entry.json).unwrap_or_default()
        } else {
            Json::Null
        };
        self.evaluate(&self.filter, entry, &json)
    }

    fn evaluate(&self, filter: &Filter, entry: &Entry, json: &Json) -> bool {
        match filter {
            Filter::All(parts) => parts.iter().all(|part| self.evaluate(part, entry, json)),
            Filter::Any(parts) => parts.iter().any(|part| self.evaluate(part, entry, json)),
            Filter::Not(inner) => !self.evaluate(inner, entry, json),
            Filter::Is(comparison) => {
                if let Some(text) = ready(entry, &comparison.path) {
                    return self.compare(comparison, Some(&Json::from(text)));
                }
                let found = comparison.path.iter().try_fold(json, |at, name| at.get(name));
                self.compare(comparison, found)
            }
        }
    }

    fn compare(&self, comparison: &Comparison, found: Option<&Json>) -> bool {
        let found = found.filter(|value| !value.is_null());
        let equal = match &comparison.value {
            Value::Present => {
                return found.is_some() != (comparison.operator == Operator::NotEqual);
            }
            Value::Me => {
                Wanted { text: self.me.as_deref().unwrap_or_default(), open: (false, false) }
            }
            Value::Text { text, open_start, open_end } => {
                Wanted { text, open: (*open_start, *open_end) }
            }
        };
        let Some(found) = found else { return comparison.operator == Operator::NotEqual };
        match comparison.operator {
            Operator::Equal => equal.is(found),
            Operator::NotEqual => !equal.is(found),
            Operator::Has => equal.is_in(found),
            Operator::Less => equal.order(found).is_some_and(std::cmp::Ordering::is_lt),
            Operator::LessOrEqual => equal.order(found).is_some_and(std::cmp::Ordering::is_le),
            Operator::Greater => equal.order(found).is_some_and(std::cmp::Ordering::is_gt),
            Operator::GreaterOrEqual => equal.order(found).is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

/// What a value is compared with.
struct Wanted<'a> {
    text: &'a str,
    open: (bool, bool),
}

impl Wanted<'_> {
    fn is(&self, found: &Json) -> bool {
        let found = as_text(found);
        match self.open {
            (false, false) => found == self.text,
            (true, false) => found.ends_with(self.text),
            (false, true) => found.starts_with(self.text),
            (true, true) => found.contains(self.text),
        }
    }

    fn is_in(&self, found: &Json) -> bool {
        match found {
            Json::Array(items) => items.iter().any(|item| self.is(item)),
            Json::Object(members) => members.contains_key(self.text),
            Json::String(text) => text.to_lowercase().contains(&self.text.to_lowercase()),
            Json::Null | Json::Bool(_) | Json::Number(_) => self.is(found),
        }
    }

    /// How what was found stands to what is wanted: as numbers, as times, or as texts.
    fn order(&self, found: &Json) -> Option<std::cmp::Ordering> {
        let text = as_text(found);
        if let (Ok(left), Ok(right)) = (text.parse::<f64>(), self.text.parse::<f64>()) {
            return left.partial_cmp(&right);
        }
        let now = clock::now();
        match (moment(&text, now), moment(self.text, now)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            (Some(_) | None, _) => Some(text.as_str().cmp(self.text)),
        }
    }
}

fn as_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What stands ready without reading the event's JSON.
fn ready<'a>(entry: &'a Entry, path: &[String]) -> Option<&'a str> {
    match path {
        [name] => match name.as_str() {
            "type" => Some(&entry.event_type),
            "subject" => Some(&entry.aggregate_id),
            "aggregate_type" => Some(&entry.aggregate_type),
            "module" => Some(entry.module()),
            _ => None,
        },
        _ => None,
    }
}

fn check(filter: &Filter, needs_json: &mut bool) -> Result<(), Refused> {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => {
            parts.iter().try_for_each(|part| check(part, needs_json))
        }
        Filter::Not(inner) => check(inner, needs_json),
        Filter::Is(comparison) => {
            let (name, inside) = comparison
                .path
                .split_first()
                .map_or(("", false), |(name, way)| (name.as_str(), !way.is_empty()));
            *needs_json |= !matches!(name, "type" | "subject" | "aggregate_type" | "module");
            if !MEMBERS.contains(&name) || (inside && name != "data") {
                let detail = format!("events are filtered by {}", MEMBERS.join(", "));
                return Err(Refused::filter(comparison.at.0, detail));
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    fn entry() -> Entry {
        Entry {
            position: 7,
            aggregate_type: "rbac.policy".to_owned(),
            aggregate_id: "p1".to_owned(),
            event_type: "rbac.policy.role_created".to_owned(),
            concerns: None,
            json: r#"{"time":"2026-01-02T00:00:00Z","position":7,"authid":"u1",
                "data":{"name":"Night Shift","level":20,"tags":["a","b"],"none":null}}"#
                .to_owned(),
            cursor: String::new(),
        }
    }

    fn holds(text: &str) -> bool {
        Matcher::parse(text, Some(id(1))).unwrap().holds(&entry())
    }

    #[test]
    fn filters_hold_for_what_they_say() {
        for text in [
            "type=rbac.policy.role_created",
            "type=rbac.* AND module=rbac",
            "subject!=p2 AND -aggregate_type=x",
            "data.level>=20 AND data.level<100",
            "data.name:night",
            "data.tags:b",
            "data:level AND data.name:* AND data.none!=*",
            "time>2026-01-01 AND time<=2026-01-02T00:00:00Z",
            "authid=u1 OR authid=me()",
            "data.missing!=1",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["data.level>20", "type=*.role_deleted", "data.missing=1", "authid=me()"] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn other_members_are_refused_at_their_place() {
        let refused = Matcher::parse("type=x AND colour=red", None).unwrap_err();
        assert_eq!(refused.column, Some(12));
        assert!(Matcher::parse("type.x=1", None).is_err());
    }
}
