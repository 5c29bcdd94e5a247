//! The `AsyncAPI` 3.0 document of the events: what the bus carries and what the WebSocket speaks, made from the catalogue.

use events::catalogue::{self, Entry};
use serde_json::{Map, Value, json};

use super::frames::PROTOCOL;

/// Attributes that every event on the bus has as a header.
const HEADERS: &[(&str, &str)] = &[
    ("ce-specversion", "1.0"),
    ("ce-id", "UUIDv7 of the event; receivers forget duplicates by it"),
    ("ce-source", "/tenants/<tenant>/<aggregate type>"),
    ("ce-type", "the stored event type"),
    ("ce-subject", "id of the aggregate"),
    ("ce-time", "when it was recorded (RFC 3339)"),
    ("ce-dataschema", "urn:annals:schema:<event type>:<version>"),
    ("ce-sequence", "version of the aggregate, padded so that it sorts as text"),
    ("ce-correlationid", "shared by everything that follows from one request"),
    ("ce-causationid", "the event that it follows from"),
    ("ce-authtype", "user, service or system"),
    ("ce-authid", "who"),
    ("ce-traceparent", "W3C Trace Context"),
    ("annals-position", "place in the log, without gaps"),
];

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
    let properties = HEADERS.iter().map(|(name, meaning)| {
        ((*name).to_owned(), json!({"type": "string", "description": meaning}))
    });
    json!({"type": "object", "properties": properties.collect::<Map<_, _>>()})
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
            "data": {"description": "the payload of the event type"},
        },
    })
}

fn socket(entries: &[Entry]) -> Value {
    let types: Vec<&str> = entries.iter().map(|entry| entry.event_type.as_str()).collect();
    let frame = |kind: &str, members: Value| {
        let mut properties = json!({"type": {"const": kind}});
        if let (Some(all), Some(members)) = (properties.as_object_mut(), members.as_object()) {
            all.extend(members.clone());
        }
        json!({"name": kind, "payload": {"type": "object", "properties": properties, "required": ["type"]}})
    };
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    json!({
        "address": "/stream",
        "description": format!("sub-protocol {PROTOCOL}; one JSON object for a frame, or several as an array"),
        "servers": [reference("#/servers/api")],
        "messages": {
            "init": frame("init", json!({"auth": text, "epoch": number})),
            "ready": frame("ready", json!({"session": text, "epoch": number, "heartbeat_ms": number, "max_subs": number,
                "max_credit": number, "expires_at": text})),
            "sub": frame("sub", json!({"id": text, "stream": text, "filter": text, "credit": number, "from": {},
                "mode": {"enum": ["events"]}, "fields": {"type": "array", "items": text}})),
            "subd": frame("subd", json!({"id": text, "cursor": text, "resumed": {"type": "boolean"}, "head": text})),
            "ev": frame("ev", json!({"id": text, "cursor": text,
                "event": {"allOf": [reference("#/components/schemas/cloudEvent"),
                                    {"properties": {"type": {"enum": types}}}]}})),
            "ckpt": frame("ckpt", json!({"id": text, "cursor": text, "lag_ms": number})),
            "live": frame("live", json!({"id": text, "cursor": text})),
            "behind": frame("behind", json!({"id": text, "cursor": text})),
            "credit": frame("credit", json!({"id": text, "n": number})),
            "err": frame("err", json!({"id": text, "code": text, "detail": text, "temporary": {"type": "boolean"}})),
            "unsub": frame("unsub", json!({"id": text})),
            "done": frame("done", json!({"id": text, "reason": text})),
            "auth": frame("auth", json!({"auth": text})),
            "drain": frame("drain", json!({"reconnect_in_ms": number})),
            "ping": frame("ping", json!({})),
            "pong": frame("pong", json!({})),
        },
    })
}

fn follow() -> Value {
    json!({"action": "receive", "channel": reference("#/channels/stream"),
           "summary": "follow streams of events over one connection"})
}
