//! The streams we need, made when missing and checked against what the server says it made.
//!
//! Works on nats-server 2.9.10 and later. Servers before 2.10 silently ignore metadata, compression, message TTL and
//! several filters per consumer, so none of them is used and every answer is compared with what was asked.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use crate::bus::Bus;
use crate::error::Error;

/// The stream that carries the log.
pub const EVENTS: &str = "EVENTS";
/// The work queue.
pub const JOBS: &str = "JOBS";

const EVENTS_MAX_AGE: Duration = Duration::from_hours(72);
const JOBS_MAX_AGE: Duration = Duration::from_hours(14 * 24);
const EVENTS_MAX_BYTES: i64 = 8 << 30;
const JOBS_MAX_BYTES: i64 = 1 << 30;
/// A server with a small disk gets a smaller stream, down to this.
const LEAST_BYTES: i64 = 64 << 20;
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// Makes or checks both streams.
pub async fn ensure(bus: &Bus) -> Result<(), Error> {
    events(bus).await?;
    jobs(bus).await?;
    Ok(())
}

/// Makes or checks the stream that carries the log. It only repeats the log, so one that differs is made anew.
pub(crate) async fn events(bus: &Bus) -> Result<Stream, Error> {
    let wanted = Config {
        name: bus.stream(EVENTS),
        subjects: vec![bus.subject("events.>")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        max_age: EVENTS_MAX_AGE,
        max_bytes: EVENTS_MAX_BYTES,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: 1,
        ..Config::default()
    };
    match stream(bus, &wanted).await {
        Err(Error::Topology { name, field, found, wanted: needed }) => {
            tracing::warn!(stream = name, field, found, needed, "makes the stream anew");
            delete_events(bus).await?;
            stream(bus, &wanted).await
        }
        other => other,
    }
}

/// Makes or checks the work queue. A queue that differs is an error: it may hold jobs.
pub(crate) async fn jobs(bus: &Bus) -> Result<Stream, Error> {
    let wanted = Config {
        name: bus.stream(JOBS),
        subjects: vec![bus.subject("jobs.>")],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        max_age: JOBS_MAX_AGE,
        max_bytes: JOBS_MAX_BYTES,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: 1,
        ..Config::default()
    };
    stream(bus, &wanted).await
}

/// Deletes the stream that carries the log, with its consumers. The relay makes and fills it again.
pub async fn delete_events(bus: &Bus) -> Result<(), Error> {
    let name = bus.stream(EVENTS);
    bus.jetstream().delete_stream(&name).await.map(|_| ()).map_err(Error::unavailable)
}

async fn stream(bus: &Bus, wanted: &Config) -> Result<Stream, Error> {
    let found = match bus.jetstream().get_stream(&wanted.name).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                create(bus, wanted.clone()).await?
            }
            GetStreamErrorKind::JetStream(_)
            | GetStreamErrorKind::Request
            | GetStreamErrorKind::EmptyName
            | GetStreamErrorKind::InvalidStreamName => return Err(Error::unavailable(error)),
        },
    };
    check(&found.cached_info().config, wanted)?;
    Ok(found)
}

/// Creates a stream; where the server has not that much room, a smaller one.
async fn create(bus: &Bus, mut wanted: Config) -> Result<Stream, Error> {
    while let Err(error) = bus.jetstream().create_stream(wanted.clone()).await {
        let CreateStreamErrorKind::JetStream(answer) = error.kind() else {
            return Err(Error::unavailable(error));
        };
        match answer.error_code() {
            ErrorCode::STREAM_NAME_EXIST => break, // somebody made it in between
            ErrorCode::STORAGE_RESOURCES_EXCEEDED | ErrorCode::INSUFFICIENT_RESOURCES
                if wanted.max_bytes / 2 >= LEAST_BYTES =>
            {
                wanted.max_bytes /= 2;
            }
            _ => return Err(Error::Refused(error.to_string())),
        }
    }
    let made = bus.jetstream().get_stream(&wanted.name).await.map_err(Error::unavailable)?;
    let max_bytes = made.cached_info().config.max_bytes;
    tracing::info!(stream = wanted.name, max_bytes, "made a stream");
    Ok(made)
}

/// Compares what carries meaning; sizes, ages and replicas are the operator's to tune.
fn check(found: &Config, wanted: &Config) -> Result<(), Error> {
    let differs = |field, found: String, wanted_value: String| Error::Topology {
        name: format!("stream {}", wanted.name),
        field,
        found,
        wanted: wanted_value,
    };
    let pairs = [
        ("subjects", found.subjects.join(","), wanted.subjects.join(",")),
        ("retention", format!("{:?}", found.retention), format!("{:?}", wanted.retention)),
        ("discard", format!("{:?}", found.discard), format!("{:?}", wanted.discard)),
        ("storage", format!("{:?}", found.storage), format!("{:?}", wanted.storage)),
        ("no_ack", found.no_ack.to_string(), wanted.no_ack.to_string()),
        ("sealed", found.sealed.to_string(), wanted.sealed.to_string()),
        ("deny_purge", found.deny_purge.to_string(), wanted.deny_purge.to_string()),
        ("max_msgs", at_least_zero(found.max_messages), at_least_zero(wanted.max_messages)),
        (
            "max_msgs_per_subject",
            at_least_zero(found.max_messages_per_subject),
            at_least_zero(wanted.max_messages_per_subject),
        ),
    ];
    for (field, have, need) in pairs {
        if have != need {
            return Err(differs(field, have, need));
        }
    }
    Ok(())
}

/// The server answers -1 where 0 was asked: both mean no limit.
fn at_least_zero(limit: i64) -> String {
    limit.max(0).to_string()
}
