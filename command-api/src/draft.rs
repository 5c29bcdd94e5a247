//! A decision being made: an aggregate, the events decided so far, and the write they become.

use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use events::aggregate::{Claim, Root, Services};
use events::envelope::{Encoded, encode};
use events::{Context, Decider, Event as _};
use platform::clock;
use platform::fold::Folded;
use platform::problem::Problem;
use uuid::Uuid;

use crate::answer::Happened;
use crate::log::StreamWrite;
use crate::refusal::refused;

/// One aggregate on its way from a version to the next.
pub(crate) struct Draft<D: Decider> {
    id: String,
    /// Where the log had it.
    base: i64,
    root: Root<D>,
    events: Vec<(Uuid, Encoded)>,
    claims: Vec<Claim>,
}

/// What one event will be answered as.
#[derive(Debug, Clone)]
pub(crate) struct Drafted {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) version: i64,
}

impl<D: Decider> Draft<D> {
    /// Begins from what the log has.
    pub(crate) fn new(id: impl Into<String>, from: &Folded<D>) -> Self {
        let root = Root(D::clone(&from.state));
        Self { id: id.into(), base: from.version, root, events: Vec::new(), claims: Vec::new() }
    }

    /// Decides one command on top of what was decided before.
    pub(crate) async fn decide(
        &mut self,
        command: D::Command,
        facts: D::Facts,
        context: &Context,
    ) -> Result<Vec<D::Event>, Undecided<D>> {
        let services = Services { context: context.clone(), facts };
        let sink = EventSink::default();
        self.root.handle(command, &services, &sink).await.map_err(Undecided::Refused)?;
        let events: Vec<D::Event> =
            sink.collect().await.into_iter().map(|stored| stored.0).collect();
        for event in &events {
            let encoded = encode(event)
                .map_err(|error| Undecided::Failed(Box::new(Problem::internal(&error))))?;
            self.claims.extend(event.claims(&self.id));
            self.events.push((clock::new_id(), encoded));
        }
        Ok(events)
    }

    /// Decides one command, or says why not as whoever asked is to hear it.
    pub(crate) async fn settle(
        &mut self,
        command: D::Command,
        facts: D::Facts,
        context: &Context,
    ) -> Result<(), Problem> {
        match self.decide(command, facts, context).await {
            Ok(_) => Ok(()),
            Err(Undecided::Refused(rejection)) => Err(refused(&rejection)),
            Err(Undecided::Failed(problem)) => Err(*problem),
        }
    }

    /// Whether nothing would change.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether it comes into being.
    pub(crate) fn is_birth(&self) -> bool {
        self.base == 0 && !self.is_empty()
    }

    /// The state as it would be.
    pub(crate) fn state(&self) -> &D {
        &self.root.0
    }

    /// The version as it would be.
    pub(crate) fn version(&self) -> i64 {
        self.base + i64::try_from(self.events.len()).unwrap_or_default()
    }

    /// The stream's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The events so far, as they will be read.
    pub(crate) fn events(&self) -> impl Iterator<Item = D::Event> {
        self.events.iter().filter_map(|(_, event)| serde_json::from_str(&event.payload).ok())
    }

    /// The events so far, as they will be stored.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|(_, event)| event.payload.as_str())
    }

    /// The events as a dry run answers them.
    pub(crate) fn drafted_with_data(&self) -> Vec<Happened> {
        let data = self.events.iter().map(|(_, event)| serde_json::from_str(&event.payload).ok());
        let drafted = self.drafted().into_iter().zip(data);
        drafted.map(|(event, data)| Happened { data, ..Happened::from(event) }).collect()
    }

    /// The events as they would be answered.
    pub(crate) fn drafted(&self) -> Vec<Drafted> {
        let versions = self.base + 1..;
        let events = self.events.iter().zip(versions);
        events
            .map(|((id, event), version)| Drafted {
                id: *id,
                kind: event.event_type.clone(),
                version,
            })
            .collect()
    }

    /// What to store.
    pub(crate) fn write(&self) -> StreamWrite {
        StreamWrite {
            kind: D::TYPE,
            id: self.id.clone(),
            expected: Some(self.base),
            events: self.events.clone(),
            claims: self.claims.clone(),
        }
    }

    /// The aggregate as stored.
    pub(crate) fn into_folded(self) -> (String, Folded<D>) {
        let version = self.version();
        (self.id, Folded { state: Arc::new(self.root.0), version })
    }
}

/// Why a draft did not grow.
pub(crate) enum Undecided<D: Decider> {
    /// The rules say no.
    Refused(D::Rejection),
    /// Something of ours is broken.
    Failed(Box<Problem>),
}
