//! Streams are made, checked and, where they only repeat the log, made anew.

use crate::support::{Server, jetstream};
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use nats::{Error, topology};

#[tokio::test]
async fn makes_both_streams_and_finds_them_again() {
    let server = Server::start().await;
    let bus = server.bus().await;
    topology::ensure(&bus).await.unwrap();
    topology::ensure(&bus).await.unwrap();
    let jetstream = jetstream(&server).await;
    let events = jetstream.get_stream("EVENTS").await.unwrap();
    assert_eq!(events.cached_info().config.subjects, ["events.>"]);
    let jobs = jetstream.get_stream("JOBS").await.unwrap();
    assert_eq!(jobs.cached_info().config.retention, RetentionPolicy::WorkQueue);
}

#[tokio::test]
async fn leaves_the_operators_sizes_alone() {
    let server = Server::start().await;
    let bus = server.bus().await;
    topology::ensure(&bus).await.unwrap();
    let jetstream = jetstream(&server).await;
    let stream = jetstream.get_stream("EVENTS").await.unwrap();
    let tuned = Config { max_bytes: 1 << 20, ..stream.cached_info().config.clone() };
    jetstream.update_stream(&tuned).await.unwrap();
    topology::ensure(&bus).await.unwrap();
    let stream = jetstream.get_stream("EVENTS").await.unwrap();
    assert_eq!(stream.cached_info().config.max_bytes, 1 << 20);
}

#[tokio::test]
async fn makes_the_events_anew_but_never_the_jobs() {
    let server = Server::start().await;
    let bus = server.bus().await;
    let jetstream = jetstream(&server).await;
    for (name, subject) in [("EVENTS", "events.>"), ("JOBS", "jobs.>")] {
        let other = Config {
            name: name.into(),
            subjects: vec![subject.into()],
            retention: RetentionPolicy::Interest,
            ..Config::default()
        };
        jetstream.create_stream(other).await.unwrap();
    }
    let error = topology::ensure(&bus).await.unwrap_err();
    assert!(matches!(&error, Error::Topology { field: "retention", .. }), "{error}");
    let events = jetstream.get_stream("EVENTS").await.unwrap();
    assert_eq!(events.cached_info().config.retention, RetentionPolicy::Limits);
}

#[tokio::test]
async fn refuses_a_url_that_is_none() {
    for url in ["http://localhost", "nats://localhost/two words", "nats://["] {
        assert!(matches!(nats::connect(url).await, Err(Error::Url(_))), "{url}");
    }
}
