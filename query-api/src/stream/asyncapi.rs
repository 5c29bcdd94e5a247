//! The `AsyncAPI` 3.0 document of the events: what the bus carries and what the WebSocket speaks, made from the catalogue.

use events::catalogue::{self, Entry};
use nats::envelope::{HEADERS, TRANSPORT};
use platform::problem::Problem;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::frames::{ClientFrame, PROTOCOL, ServerFrame};

/// The document.
pub(crate) fn document() -> Value {
    let entries = catalogue::all();
    let mut channels: Map<String, Value> = entries.iter().map(channel).collect();
    channels.insert("stream".into(), socket(&entries));
    let mut operations: Map<String, Value> = entries.iter().map(operation).collect();
    operations.insert("follow".into(), follow());
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Annals events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every fact, on the bus and over the WebSocket; each is delivered at least once and in order \
                            per organisation.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "bus": {"host": "localhost:4222", "protocol": "nats",
                    "description": "NATS JetStream, stream EVENTS; for our own processes"},
            "api": {"host": "localhost:7402", "protocol": "ws", "pathname": "/api/v1"},
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": entries.iter().map(message).collect::<Map<_, _>>(),
            "schemas": {"headers": headers(), "cloudEvent": cloud_event()},
        },
    })
}

fn reference(path: &str) -> Value {
    json!({ "$ref": path })
}

fn channel(entry: &Entry) -> (String, Value) {
    let Entry { event_type, description, .. } = entry;
    let channel = json!({
        "address": format!("events.{{tenant}}.{event_type}"),
        "description": description,
        "servers": [reference("#/servers/bus")],
        "parameters": {"tenant": {"description": "id of the organisation"}},
        "messages": {event_type: reference(&format!("#/components/messages/{event_type}"))},
    });
    (event_type.clone(), channel)
}

fn operation(entry: &Entry) -> (String, Value) {
    let channel = reference(&format!("#/channels/{}", entry.event_type));
    let operation = json!({"action": "receive", "channel": channel, "summary": entry.description});
    (format!("on_{}", entry.event_type.replace('.', "_")), operation)
}

fn message(entry: &Entry) -> (String, Value) {
    let message = json!({
        "name": entry.event_type,
        "summary": entry.description,
        "headers": reference("#/components/schemas/headers"),
        "payload": entry.schema,
    });
    (entry.event_type.clone(), message)
}

fn headers() -> Value {
    let all = || HEADERS.iter().chain(TRANSPORT);
    let properties = all().map(|header| {
        (header.name.to_owned(), json!({"type": "string", "description": header.meaning}))
    });
    let always = all().filter(|header| header.always).map(|header| header.name);
    json!({
        "type": "object",
        "required": always.collect::<Vec<_>>(),
        "properties": properties.collect::<Map<_, _>>(),
    })
}

/// The event as the WebSocket, server-sent events and replays show it.
fn cloud_event() -> Value {
    json!({
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "sequence", "position", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": {"type": "string"},
            "type": {"type": "string"},
            "subject": {"type": "string"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"type": "string"},
            "sequence": {"type": "string"},
            "position": {"type": "integer"},
            "correlationid": {"type": "string"},
            "causationid": {"type": "string"},
            "authtype": {"type": "string"},
            "authid": {"type": "string"},
            "traceparent": {"type": "string"},
            "idempotencykey": {"type": "string"},
            "data": {"description": "the payload of the event type"},
        },
    })
}

fn socket(entries: &[Entry]) -> Value {
    let types: Vec<&str> = entries.iter().map(|entry| entry.event_type.as_str()).collect();
    let mut messages: Map<String, Value> = frames_of::<ClientFrame>();
    messages.extend(frames_of::<ServerFrame<'_>>());
    let event = json!({
        "allOf": [reference("#/components/schemas/cloudEvent"), {"properties": {"type": {"enum": types}}}],
    });
    let text = json!({"type": "string"});
    let ev = json!({"type": {"const": "ev"}, "id": text, "cursor": text, "event": event});
    messages.insert("ev".into(), frame("ev", &json!({
        "type": "object", "properties": ev, "required": ["type", "id", "cursor", "event"],
        "description": "An event of a subscription, or the members of it that were asked for.",
    })));
    messages.insert("err".into(), frame("err", &problem()));
    json!({
        "address": "/stream",
        "description": format!("sub-protocol {PROTOCOL}; one JSON object for a frame, or several as an array"),
        "servers": [reference("#/servers/api")],
        "messages": messages,
    })
}

fn frame(name: &str, payload: &Value) -> Value {
    json!({"name": name, "payload": payload})
}

/// The schema of a type, with everything it needs inside.
fn whole<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The frames that an enum of them declares, by name.
fn frames_of<T: JsonSchema>() -> Map<String, Value> {
    let schema = whole::<T>();
    let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let named = variants.into_iter().filter_map(|payload| {
        let name = payload.pointer("/properties/type/const")?.as_str()?.to_owned();
        let message = frame(&name, &payload);
        Some((name, message))
    });
    named.collect()
}

/// A problem as `err` says it: `type` names the frame, so the page about the code goes by another name.
fn problem() -> Value {
    let mut schema = whole::<Problem>();
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("title");
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        let page = properties.insert("type".into(), json!({"const": "err"}));
        properties.insert("about".into(), page.unwrap_or_default());
        properties.insert(
            "id".into(),
            json!({"type": "string", "description": "The subscription, if it is about one."}),
        );
        let temporary = "Whether the same can succeed later.";
        properties.insert("temporary".into(), json!({"type": "boolean", "description": temporary}));
    }
    schema
}

fn follow() -> Value {
    json!({"action": "receive", "channel": reference("#/channels/stream"),
           "summary": "follow streams of events over one connection"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_described_with_the_members_that_are_sent() {
        let document = document();
        let messages = document["channels"]["stream"]["messages"].as_object().unwrap();
        let names: Vec<&str> = messages.keys().map(String::as_str).collect();
        let mut expected = vec![
            "auth", "behind", "ckpt", "credit", "done", "drain", "err", "ev", "init", "live",
            "nack", "ping", "pong", "ready", "sub", "subd", "unsub",
        ];
        expected.sort_unstable();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected);
        for (frame, member) in [
            ("init", "client"),
            ("credit", "ack"),
            ("live", "at"),
            ("behind", "at"),
            ("nack", "action"),
            ("unsub", "reason"),
            ("sub", "from"),
            ("err", "about"),
            ("err", "temporary"),
            ("err", "params"),
            ("err", "violated-policies"),
            ("err", "id"),
        ] {
            let members = &messages[frame]["payload"]["properties"];
            assert!(members.get(member).is_some(), "{frame} lacks {member}: {members}");
        }
        let problem = Problem::bad_request("NOT_DURABLE", "no");
        let sent = super::super::frames::error(Some("a"), &problem);
        for member in sent.as_object().unwrap().keys() {
            let members = &messages["err"]["payload"]["properties"];
            assert!(members.get(member).is_some(), "err sends {member}");
        }
    }
}
