//! What the answer of a command tells besides what happened: the same for whoever repeats it, since it follows from the events.

use serde_json::Value;

use crate::answer::Answer;
use crate::registry::PREFIX;

/// What the answer of a command tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where the result can be queried, below `/api/v1`: `{id}` stands for the aggregate's id, every other name in braces for that
    /// member of the first event that has it.
    pub(crate) location: Option<&'static str>,
    /// Whether it begins work that goes on below `/jobs`.
    pub(crate) job: bool,
}

/// What a command is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The aggregate's type.
    pub(crate) kind: &'static str,
    /// The aggregate's id.
    pub(crate) id: &'a str,
    /// What its answer tells.
    pub(crate) told: Told,
}

impl Told {
    /// Adds it to an answer about events with these payloads.
    pub(crate) fn tell<'a>(
        self,
        mut answer: Answer,
        payloads: impl Iterator<Item = &'a str>,
    ) -> Answer {
        let location = self
            .location
            .and_then(|path| filled(path, &answer.aggregate.id, &payloads.collect::<Vec<_>>()));
        answer.header.location = location;
        answer.header.job = self.job;
        answer
    }
}

fn filled(path: &str, id: &str, payloads: &[&str]) -> Option<String> {
    let member = |name: &str| {
        let mut events = payloads.iter().filter_map(|text| serde_json::from_str(text).ok());
        events.find_map(|event: Value| event[name].as_str().map(str::to_owned))
    };
    let mut filled = String::from(PREFIX);
    for part in path.split('/').skip(1) {
        filled.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some("id") => filled.push_str(id),
            Some(name) => filled.push_str(&member(name)?),
            None => filled.push_str(part),
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_follows_from_the_aggregate_and_what_happened() {
        let events = [r#"{"type":"renamed"}"#, r#"{"type":"unit_added","unit_id":"u"}"#];
        let at = |path| filled(path, "o", &events);
        assert_eq!(at("/users/{id}").as_deref(), Some("/api/v1/users/o"));
        let unit = at("/organizations/{id}/units/{unit_id}");
        assert_eq!(unit.as_deref(), Some("/api/v1/organizations/o/units/u"));
        assert_eq!(at("/rbac/roles/{role_id}"), None, "no event names one");
    }
}
