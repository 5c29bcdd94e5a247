//! Every event type there is, with the JSON Schema of its payload, read off the enums themselves.

use std::slice;

use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use crate::aggregate::{Decider, Refusal, Rejection as _};
use crate::envelope::stored_version;
use crate::modules::{AggregateVisitor, Module, visit_aggregates};

/// One event type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Stored name, `<module>.<aggregate>.<past_tense>`.
    pub event_type: String,
    /// Schema version of the payload.
    pub version: String,
    /// Stream name, `<module>.<aggregate>`.
    pub aggregate: &'static str,
    /// The module that owns it.
    pub module: &'static str,
    /// What has happened, for people.
    pub description: String,
    /// JSON Schema (draft 2020-12) of the payload.
    pub schema: Value,
}

/// Every event type of every module, in the order of the source.
pub fn all() -> Vec<Entry> {
    struct Collect(Vec<Entry>);
    impl AggregateVisitor for Collect {
        fn visit<D: Decider>(&mut self) {
            self.0.extend(of::<D>());
        }
    }
    let mut entries = Collect(Vec::new());
    for module in Module::ALL {
        visit_aggregates(*module, &mut entries);
    }
    entries.0
}

/// Every refusal of every aggregate with the aggregate's name, in the order of the source.
pub fn refusals() -> Vec<(&'static str, Refusal)> {
    struct Collect(Vec<(&'static str, Refusal)>);
    impl AggregateVisitor for Collect {
        fn visit<D: Decider>(&mut self) {
            self.0.extend(D::Rejection::every().into_iter().map(|refusal| (D::TYPE, refusal)));
        }
    }
    let mut refusals = Collect(Vec::new());
    for module in Module::ALL {
        visit_aggregates(*module, &mut refusals);
    }
    refusals.0
}

/// What is claimed, with the code and the words of its refusal when another stream holds it.
pub fn claims() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    use crate::{backups, collaboration, exports, files, identity, maintenance, notifications};
    let known = [
        identity::organization::CLAIMS,
        identity::user::CLAIMS,
        identity::invitation::CLAIMS,
        identity::issuer::CLAIMS,
        identity::session::CLAIMS,
        exports::export::CLAIMS,
        exports::template::CLAIMS,
        files::file::CLAIMS,
        maintenance::asset::CLAIMS,
        maintenance::plan::CLAIMS,
        collaboration::thread::CLAIMS,
        notifications::notification::CLAIMS,
        backups::backup::CLAIMS,
    ];
    known.into_iter().flatten()
}

/// The event types of one aggregate.
pub fn of<D: Decider>() -> Vec<Entry> {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let root = settings.into_generator().into_root_schema_for::<D::Event>();
    let variants = root.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    variants.into_iter().filter_map(entry::<D>).collect()
}

fn entry<D: Decider>(mut schema: Value) -> Option<Entry> {
    let event_type = schema.pointer("/properties/type/const")?.as_str()?.to_owned();
    let members = schema.as_object_mut()?;
    let description = members.remove("description");
    let description = description.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    members.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    members.insert("title".into(), event_type.clone().into());
    Some(Entry {
        version: stored_version(&event_type).to_owned(),
        event_type,
        aggregate: D::TYPE,
        module: D::MODULE.name(),
        description,
        schema,
    })
}

/// The catalogue as a page for people.
pub fn markdown(entries: &[Entry]) -> String {
    let mut lines = vec![
        "# Events".to_owned(),
        String::new(),
        "Every fact that can be in the log, by module and aggregate; their JSON Schemas are in"
            .into(),
        "events.json. Generated: `ANNALS_GENERATE=1 cargo test -p events catalogue`.".into(),
    ];
    let (mut module, mut aggregate) = ("", "");
    for entry in entries {
        if module != entry.module {
            module = entry.module;
            lines.extend([String::new(), format!("## {module}")]);
        }
        if aggregate != entry.aggregate {
            aggregate = entry.aggregate;
            let head = "| Event | Version | Meaning | Fields |\n|---|---|---|---|".to_owned();
            lines.extend([String::new(), format!("### {aggregate}"), String::new(), head]);
        }
        let Entry { event_type, version, description, schema, .. } = entry;
        let (description, fields) = (description.replace('\n', " "), fields(schema));
        lines.push(format!("| `{event_type}` | {version} | {description} | {fields} |"));
    }
    lines.join("\n") + "\n"
}

fn fields(schema: &Value) -> String {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let mut fields: Vec<String> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, schema)| *name != "type" || schema["const"].is_null())
        .map(|(name, schema)| {
            let optional = if required.iter().any(|r| *r == name) { "" } else { "?" };
            format!("`{name}{optional}` {}", kind(schema))
        })
        .collect();
    fields.sort();
    fields.join(", ")
}

/// The kind of value that a schema admits, in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let mut kinds: Vec<_> = any.iter().map(kind).filter(|kind| kind != "null").collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        return values.join(" or ");
    }
    if let Some(value) = schema["const"].as_str() {
        return value.to_owned();
    }
    // Either one name or, of something optional, two of which one is `null`.
    let names = schema["type"].as_array().map_or(slice::from_ref(&schema["type"]), Vec::as_slice);
    let name = names.iter().filter_map(Value::as_str).find(|name| *name != "null");
    match (name.unwrap_or("anything"), schema["format"].as_str()) {
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("object", _) if schema["properties"].is_object() => format!("{{{}}}", fields(schema)),
        ("object", _) => "map".to_owned(),
        ("string", Some(format)) => format.to_owned(),
        ("string", None) => "text".to_owned(),
        (name, _) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference");
    const STALE: &str = "is stale: run ANNALS_GENERATE=1 cargo test -p events catalogue";

    #[test]
    fn the_committed_catalogue_is_that_of_the_source() {
        let entries = all();
        let (page, json) = (markdown(&entries), serde_json::to_value(&entries).unwrap());
        let (page_file, json_file) =
            (format!("{REFERENCE}/events.md"), format!("{REFERENCE}/events.json"));
        if std::env::var_os("ANNALS_GENERATE").is_some() {
            fs::create_dir_all(REFERENCE).unwrap();
            fs::write(&page_file, &page).unwrap();
            fs::write(&json_file, format!("{json:#}\n")).unwrap();
        }
        assert!(fs::read_to_string(&page_file).unwrap_or_default() == page, "events.md {STALE}");
        // Compared as values: the order of members depends on features of serde_json that other
        // crates choose.
        let committed = fs::read_to_string(&json_file).unwrap_or_default();
        let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
        assert!(committed == json, "events.json {STALE}");
    }

    #[test]
    fn every_event_has_a_frozen_sample_and_every_sample_an_event() {
        let samples: BTreeSet<String> =
            fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"))
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .map(|name| name.trim_end_matches(".json").to_owned())
                .collect();
        let events: BTreeSet<String> = all().into_iter().map(|entry| entry.event_type).collect();
        assert_eq!(
            samples.difference(&events).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "no event"
        );
        assert_eq!(
            events.difference(&samples).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "no sample"
        );
    }

    #[test]
    fn names_are_unique_belong_to_their_stream_and_say_what_happened() {
        let mut seen = BTreeSet::new();
        for entry in all() {
            let name = entry.event_type.strip_prefix(entry.aggregate).unwrap_or_default();
            assert!(name.starts_with('.') && !name[1..].contains('.'), "{}", entry.event_type);
            assert_eq!(entry.aggregate.split('.').next(), Some(entry.module));
            for vague in ["updated", "changed", "set"] {
                assert!(!name.ends_with(&format!("_{vague}")) && name[1..] != *vague, "{name}");
            }
            assert!(!entry.description.is_empty(), "{} has no description", entry.event_type);
            assert!(seen.insert(entry.event_type.clone()), "{} twice", entry.event_type);
        }
    }

    #[test]
    fn codes_of_refusals_are_unique_and_short() {
        use strum::VariantNames as _;
        type Claims = &'static [(&'static str, &'static str, &'static str)];
        let codes: [(&str, &[&str], Claims); 19] = {
            use crate::backups::backup;
            use crate::collaboration::thread;
            use crate::exports::{cleanup, export, template};
            use crate::files::file;
            use crate::identity::{invitation, issuer, organization, session, user};
            use crate::maintenance::{asset, plan, task};
            use crate::notifications::notification;
            use crate::scheduling::{blackout_calendar, trigger};
            use crate::settings::configuration;
            use crate::webhooks::endpoint;
            [
                ("ORGANIZATION_", organization::Rejection::VARIANTS, organization::CLAIMS),
                ("USER_", user::Rejection::VARIANTS, user::CLAIMS),
                ("SESSION_", session::Rejection::VARIANTS, session::CLAIMS),
                ("INVITATION_", invitation::Rejection::VARIANTS, invitation::CLAIMS),
                ("ISSUER_", issuer::Rejection::VARIANTS, issuer::CLAIMS),
                ("EXPORT_", export::Rejection::VARIANTS, export::CLAIMS),
                ("CLEANUP_", cleanup::Rejection::VARIANTS, &[]),
                ("TEMPLATE_", template::Rejection::VARIANTS, template::CLAIMS),
                ("FILE_", file::Rejection::VARIANTS, file::CLAIMS),
                ("ASSET_", asset::Rejection::VARIANTS, asset::CLAIMS),
                ("TASK_", task::Rejection::VARIANTS, &[]),
                ("SCHEDULE_", plan::Rejection::VARIANTS, plan::CLAIMS),
                ("COMMENT_", thread::Rejection::VARIANTS, thread::CLAIMS),
                ("NOTIFICATION_", notification::Rejection::VARIANTS, notification::CLAIMS),
                ("BACKUP_", backup::Rejection::VARIANTS, backup::CLAIMS),
                ("SETTINGS_", configuration::Rejection::VARIANTS, &[]),
                ("TRIGGER_", trigger::Rejection::VARIANTS, &[]),
                ("BLACKOUT_CALENDAR_", blackout_calendar::Rejection::VARIANTS, &[]),
                ("ENDPOINT_", endpoint::Rejection::VARIANTS, &[]),
            ]
        };
        let mut seen = BTreeSet::new();
        for (prefix, rejections, claims) in codes {
            for code in rejections.iter().copied().chain(claims.iter().map(|claim| claim.1)) {
                assert!(code.starts_with(prefix) && code.len() <= 63, "{code}");
                assert!(seen.insert(code), "{code} twice");
            }
        }
    }
}
