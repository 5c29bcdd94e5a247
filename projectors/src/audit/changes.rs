//! Before and after: what an event changed in the rows that people see, as a patch in the manner of RFC 6902.

use std::borrow::Cow;
use std::fmt;

use events::audit::{MASK, is_sensitive};
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
pub(super) fn differences<'a>(stream: &str, traced: &'a [Traced]) -> Effect<'a> {
    let mut effect = Effect { resource: None, changes: Vec::new() };
    for Traced { resource: (kind, id_column), rows } in traced {
        for (before, after) in rows {
            let id = before.as_ref().or(after.as_ref()).and_then(|row| row.get(id_column));
            let id = id.and_then(Value::as_str).unwrap_or_default();
            let first = effect.changes.is_empty();
            let prefix = if first { String::new() } else { format!("/{kind}/{}", escaped(id)) };
            let shown = Shown { stream, prefix: &prefix };
            shown.row(before.as_ref(), after.as_ref(), &mut effect.changes);
            if first && (effect.resource.is_none() || !effect.changes.is_empty()) {
                effect.resource = Some((kind, id));
            }
        }
    }
    effect
}

/// An id as a part of a JSON pointer (RFC 6901).
fn escaped(id: &str) -> Cow<'_, str> {
    if id.contains(['~', '/']) {
        Cow::Owned(id.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(id)
    }
}

/// How the changes of one row are shown: of which stream the event is, and where the paths begin.
struct Shown<'s> {
    stream: &'s str,
    prefix: &'s str,
}

impl Shown<'_> {
    fn row<'a>(
        &self,
        before: Option<&'a Object>,
        after: Option<&'a Object>,
        changes: &mut Vec<Change<'a>>,
    ) {
        let Some(columns) = after.or(before) else { return };
        let mut names: Vec<&'a str> =
            columns.names().filter(|name| !NOISE.contains(name)).collect();
        names.sort_unstable();
        for name in names {
            let known = |row: Option<&'a Object>| {
                row.and_then(|row| row.get(name)).filter(|value| !value.is_null())
            };
            let (old, new) = (known(before), known(after));
            if old == new {
                continue;
            }
            let path = format!("{}/{}", self.prefix, escaped(name));
            let masked = is_sensitive(self.stream, name);
            if let (Some(Value::Array(old)), Some(Value::Array(new)), false) = (old, new, masked)
                && items(old, new, &path, changes)
            {
                continue;
            }
            let op = match (old, new) {
                (None, _) => "add",
                (Some(_), Some(_)) => "replace",
                (Some(_), None) => "remove",
            };
            let shown = |value: &'a Value| shown(masked, value);
            changes.push(Change { op, path, before: old.map(shown), value: new.map(shown) });
        }
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

fn shown(masked: bool, value: &Value) -> Cow<'_, Value> {
    // Whether there is a password may be known.
    if masked && !value.is_boolean() {
        Cow::Owned(Value::String(MASK.into()))
    } else {
        Cow::Borrowed(value)
    }
}

/// Members of a payload that no row shows: reasons, counts, who fetched it.
pub(super) struct Members<'a> {
    stream: &'a str,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// What the event says beyond what it changed; nothing when it says no more.
pub(super) fn detail<'a>(
    stream: &'a str,
    payload: &'a str,
    traced: &[Traced],
) -> Option<Members<'a>> {
    let mut members = serde_json::Deserializer::from_str(payload).deserialize_map(Collect).ok()?;
    let has_column = |name: &str| {
        traced.iter().flat_map(|traced| &traced.rows).any(|(before, after)| {
            after.as_ref().or(before.as_ref()).is_some_and(|row| row.get(name).is_some())
        })
    };
    members.retain(|(name, _)| name != "type" && !has_column(name));
    (!members.is_empty()).then_some(Members { stream, members })
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            if is_sensitive(self.stream, name) {
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Option<Object> {
        let members = value.as_object()?.iter();
        Some(Object(members.map(|(name, value)| (name.clone().into(), value.clone())).collect()))
    }

    fn traced(before: &Value, after: &Value) -> Vec<Traced> {
        let rows = vec![(object(before), object(after))];
        vec![Traced { resource: ("rbac.role", "role_id"), rows }]
    }

    fn shown(traced: &[Traced]) -> Value {
        serde_json::to_value(differences("rbac.policy", traced).changes).unwrap()
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
        assert_eq!(differences("rbac.policy", &traced).resource, Some(("rbac.role", "r1")));
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
        let detail = serde_json::to_value(detail("identity.session", payload, &traced)).unwrap();
        assert_eq!(detail, json!({"refresh_sha256": "***", "reason": "left"}));
    }

    #[test]
    fn shows_nothing_personal_of_whoever_it_is_about() {
        let traced = traced(
            &json!({"role_id": "u1", "email": "ada@example.org", "locale": "en"}),
            &json!({"role_id": "u1", "email": "ada@example.com", "locale": "de"}),
        );
        assert_eq!(
            serde_json::to_value(differences("identity.user", &traced).changes).unwrap(),
            json!([{"op": "replace", "path": "/email", "before": "***", "value": "***"},
                   {"op": "replace", "path": "/locale", "before": "en", "value": "de"}])
        );
        let payload = r#"{"type":"x","previous":"ada@example.org","why":"moved"}"#;
        let detail = serde_json::to_value(detail("identity.user", payload, &[])).unwrap();
        assert_eq!(detail, json!({"previous": "***", "why": "moved"}));
    }

    /// Every column that lists treat with care is masked, whichever read model it is of.
    #[test]
    fn masks_every_column_that_is_sensitive_in_a_dataset() {
        use events::Module;
        let mut seen = 0;
        for projection in crate::traced() {
            let table = projection.table();
            let datasets = Module::ALL.iter().flat_map(|m| platform::dataset::datasets(*m));
            let columns = datasets
                .filter(|dataset| dataset.projections == [table.name])
                .flat_map(|dataset| dataset.columns);
            for column in columns.filter(|column| column.sensitive) {
                for stream in table.reads {
                    assert!(is_sensitive(stream, column.key), "{stream}: {}", column.key);
                    seen += 1;
                }
            }
        }
        assert!(seen > 3, "{seen} columns are sensitive");
    }

    /// What the projections make of a row: members that come and go, lists that grow and shrink.
    fn rows() -> impl Strategy<Value = Object> {
        let value = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..5_i64).prop_map(Value::from),
            "[a-c~/ü]{0,3}".prop_map(Value::from),
            prop::collection::vec(0..6_u8, 0..6).prop_map(|items| json!(items)),
            (0..3_u8).prop_map(|n| json!({"n": n})),
        ];
        let names = ["a", "b", "c/d", "e~f", "list", "g"];
        prop::collection::vec(value, names.len()).prop_map(move |values| {
            Object(names.iter().map(|name| (*name).into()).zip(values).collect())
        })
    }

    /// A row without what no row shows.
    fn known(row: Option<&Object>) -> Value {
        let members = row.into_iter().flat_map(|row| &row.0).filter(|(_, value)| !value.is_null());
        members.map(|(name, value)| (name.to_string(), value.clone())).collect()
    }

    proptest! {
        /// By the judgement of another implementation of RFC 6902.
        #[test]
        fn applied_to_the_row_before_the_changes_give_the_row_after(
            before in prop::option::of(rows()), after in prop::option::of(rows()),
        ) {
            let traced = vec![Traced {
                resource: ("shop.item", "a"),
                rows: vec![(before.clone(), after.clone())],
            }];
            let changes = serde_json::to_value(differences("shop.item", &traced).changes).unwrap();
            let patch: json_patch::Patch = serde_json::from_value(changes).unwrap();
            let mut row = known(before.as_ref());
            json_patch::patch(&mut row, &patch).unwrap();
            prop_assert_eq!(row, known(after.as_ref()));
        }

        #[test]
        fn a_second_row_is_changed_under_its_kind_and_id(before in rows(), after in rows()) {
            let other = object(&json!({"a": 1}));
            let item = Traced { resource: ("shop.item", "b"), rows: vec![(Some(before), Some(after))] };
            let first = Traced { resource: ("shop.order", "a"), rows: vec![(None, other)] };
            let traced = vec![first, item];
            let (before, after) = (traced[1].rows[0].0.as_ref(), traced[1].rows[0].1.as_ref());
            let id = before.and_then(|row| row.get("b")?.as_str()).unwrap_or_default();
            let mut document = json!({"shop.item": {id: known(before)}});
            let changes = serde_json::to_value(differences("shop.item", &traced).changes).unwrap();
            let patch: json_patch::Patch = serde_json::from_value(changes).unwrap();
            json_patch::patch(&mut document, &patch).unwrap();
            prop_assert_eq!(&document["shop.item"][id], &known(after));
            prop_assert_eq!(&document["a"], &json!(1));
        }
    }
}
