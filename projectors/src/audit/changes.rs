//! Before and after: what an event changed in the rows that people see, as a patch in the manner of RFC 6902.

use std::borrow::Cow;
use std::fmt;

use platform::dataset::mask::{MASK, is_secret};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::runtime::projection::{Object, Traced};

/// One step of the patch, with what stood there before.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Change<'a> {
    op: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Cow<'a, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, Value>>,
}

/// What an event did, and to what.
#[derive(Debug, PartialEq)]
pub(super) struct Effect<'a> {
    pub(super) resource: Option<(&'static str, &'a str)>,
    pub(super) changes: Vec<Change<'a>>,
}

/// Columns that change with every event, or say again what the entry itself says.
const NOISE: &[&str] = &["tenant_id", "version", "created_at", "changed_at"];

/// The changes in all rows that the event touched. The first row that changed is the resource; the paths of other rows begin
/// with their kind and id.
pub(super) fn differences(traced: &[Traced]) -> Effect<'_> {
    let mut effect = Effect { resource: None, changes: Vec::new() };
    for Traced { resource: (kind, id_column), rows } in traced {
        for (before, after) in rows {
            let id = before.as_ref().or(after.as_ref()).and_then(|row| row.get(*id_column));
            let id = id.and_then(Value::as_str).unwrap_or_default();
            let first = effect.changes.is_empty();
            let prefix = if first { String::new() } else { format!("/{kind}/{id}") };
            row(before.as_ref(), after.as_ref(), &prefix, &mut effect.changes);
            if first && (effect.resource.is_none() || !effect.changes.is_empty()) {
                effect.resource = Some((kind, id));
            }
        }
    }
    effect
}

fn row<'a>(
    before: Option<&'a Object>,
    after: Option<&'a Object>,
    prefix: &str,
    changes: &mut Vec<Change<'a>>,
) {
    let Some(columns) = after.or(before) else { return };
    let mut names: Vec<&'a String> =
        columns.keys().filter(|name| !NOISE.contains(&name.as_str())).collect();
    names.sort_unstable(); // whether serde_json keeps an order of its own depends on the whole build
    for name in names {
        let known = |row: Option<&'a Object>| {
            row.and_then(|row| row.get(name)).filter(|value| !value.is_null())
        };
        let (old, new) = (known(before), known(after));
        if old == new {
            continue;
        }
        let path = format!("{prefix}/{name}");
        if let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new)
            && items(old, new, &path, changes)
        {
            continue;
        }
        let op = match (old, new) {
            (None, _) => "add",
            (Some(_), Some(_)) => "replace",
            (Some(_), None) => "remove",
        };
        let shown = |value: &'a Value| shown(name, value);
        changes.push(Change { op, path, before: old.map(shown), value: new.map(shown) });
    }
}

/// What came into a list and what left it, so that a long list is not written out twice for one item; false when the rest
/// was put into another order.
fn items<'a>(
    old: &'a [Value],
    new: &'a [Value],
    path: &str,
    changes: &mut Vec<Change<'a>>,
) -> bool {
    let stayed = |list: &'a [Value], other: &'a [Value]| list.iter().filter(|v| other.contains(v));
    if !stayed(old, new).eq(stayed(new, old)) {
        return false;
    }
    for (place, item) in old.iter().enumerate().rev().filter(|(_, item)| !new.contains(item)) {
        let (path, before) = (format!("{path}/{place}"), Some(Cow::Borrowed(item)));
        changes.push(Change { op: "remove", path, before, value: None });
    }
    for (place, item) in new.iter().enumerate().filter(|(_, item)| !old.contains(item)) {
        let (path, value) = (format!("{path}/{place}"), Some(Cow::Borrowed(item)));
        changes.push(Change { op: "add", path, before: None, value });
    }
    true
}

fn shown<'a>(name: &str, value: &'a Value) -> Cow<'a, Value> {
    // Whether there is a password may be known.
    if is_secret(name) && !value.is_boolean() {
        Cow::Owned(Value::String(MASK.into()))
    } else {
        Cow::Borrowed(value)
    }
}

/// Members of a payload that no row shows: reasons, counts, who fetched it.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// What the event says beyond what it changed; nothing when it says no more.
pub(super) fn detail<'a>(payload: &'a str, traced: &[Traced]) -> Option<Members<'a>> {
    let mut members = serde_json::Deserializer::from_str(payload).deserialize_map(Collect).ok()?;
    let has_column = |name: &str| {
        traced.iter().flat_map(|traced| &traced.rows).any(|(before, after)| {
            after.as_ref().or(before.as_ref()).is_some_and(|row| row.contains_key(name))
        })
    };
    members.retain(|(name, _)| name != "type" && !has_column(name));
    (!members.is_empty()).then_some(Members(members))
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            if is_secret(name) {
                map.serialize_entry(name, MASK)?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        #[derive(serde::Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Option<Object> {
        value.as_object().cloned()
    }

    fn traced(before: &Value, after: &Value) -> Vec<Traced> {
        let rows = vec![(object(before), object(after))];
        vec![Traced { resource: ("rbac.role", "role_id"), rows }]
    }

    fn shown(traced: &[Traced]) -> Value {
        serde_json::to_value(differences(traced).changes).unwrap()
    }

    #[test]
    fn shows_what_stood_there_before() {
        let traced = traced(
            &json!({"role_id": "r1", "name": "old", "level": 3, "version": 1}),
            &json!({"role_id": "r1", "name": "new", "level": 3, "version": 2}),
        );
        assert_eq!(
            shown(&traced),
            json!([{"op": "replace", "path": "/name", "before": "old", "value": "new"}])
        );
        assert_eq!(differences(&traced).resource, Some(("rbac.role", "r1")));
    }

    #[test]
    fn shows_a_new_row_without_what_it_lacks_and_a_gone_row_with_what_it_had() {
        let row = json!({"role_id": "r1", "name": "n", "unit_id": null});
        assert_eq!(
            shown(&traced(&Value::Null, &row)),
            json!([{"op": "add", "path": "/name", "value": "n"},
                   {"op": "add", "path": "/role_id", "value": "r1"}])
        );
        assert_eq!(
            shown(&traced(&row, &Value::Null)),
            json!([{"op": "remove", "path": "/name", "before": "n"},
                   {"op": "remove", "path": "/role_id", "before": "r1"}])
        );
    }

    #[test]
    fn shows_the_items_of_a_list_that_came_and_went() {
        let list = |items: &[&str]| json!({"role_id": "r1", "permissions": items});
        assert_eq!(
            shown(&traced(&list(&["a", "b", "d"]), &list(&["b", "c", "d"]))),
            json!([{"op": "remove", "path": "/permissions/0", "before": "a"},
                   {"op": "add", "path": "/permissions/1", "value": "c"}])
        );
        assert_eq!(
            shown(&traced(&list(&["a", "b"]), &list(&["b", "a"]))),
            json!([{"op": "replace", "path": "/permissions", "before": ["a", "b"], "value": ["b", "a"]}])
        );
    }

    #[test]
    fn shows_no_secret() {
        let traced = traced(
            &json!({"role_id": "r1", "token": null, "has_password": false}),
            &json!({"role_id": "r1", "token": "sesame", "has_password": true}),
        );
        assert_eq!(
            shown(&traced),
            json!([{"op": "replace", "path": "/has_password", "before": false, "value": true},
                   {"op": "add", "path": "/token", "value": "***"}])
        );
        let payload = r#"{"type":"x","refresh_sha256":"abc","reason":"left","role_id":"r1"}"#;
        let detail = serde_json::to_value(detail(payload, &traced)).unwrap();
        assert_eq!(detail, json!({"refresh_sha256": "***", "reason": "left"}));
    }
}
