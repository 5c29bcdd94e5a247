//! When a counter of an asset was read, every trigger that counts it hears what it has counted in all.
//!
//! A trigger takes only what is more than before, so a reading that comes again, or after a later one, lets nothing happen twice;
//! and it happens for all thresholds that lie between what it heard last and now, so nothing is lost where a reading never came.

use anyhow::Context as _;
use events::envelope::Recorded;
use events::maintenance::asset::{Asset, Event};
use events::scheduling::Spec;
use events::scheduling::trigger::Trigger;
use events::{AssetId, Decider as _};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use platform::commands::CommandError;
use serde::Deserialize;
use serde_json::json;

use crate::runtime::{Done, Effect, Job, Office, Trouble};
use crate::scheduling::naming;

pub(super) const EVENTS: &[&str] = &["maintenance.asset.usage_recorded"];

pub(super) const KIND: &str = "maintenance.usage";

/// A trigger refuses so what another reading, or its owner, has made needless.
const NEEDLESS: &[&str] =
    &["TRIGGER_READING_INVALID", "TRIGGER_PAUSED", "TRIGGER_FINISHED", "TRIGGER_NOT_BY_USAGE"];

/// What was read.
#[derive(Deserialize)]
struct Read {
    counter: String,
    /// What the counter has counted in all, in thousandths.
    reading: u64,
}

pub(super) fn on_recorded(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    // One event of many; the others are not asked for.
    let Event::UsageRecorded { counter, total, .. } = event.decode::<Asset>()? else {
        return Ok(Vec::new());
    };
    let body = json!({ "counter": counter, "reading": total.thousandths() });
    Ok(vec![Effect::Start { kind: KIND, subject_id: event.aggregate_id.clone(), body }])
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let asset: AssetId = job.subject_id.parse().context("the job names no asset")?;
        let read: Read =
            serde_json::from_value(job.body.clone()).context("the job names no reading")?;
        let triggers = naming(office, job.tenant_id, asset.0);
        let mut triggers = std::pin::pin!(triggers);
        while let Some((trigger, known)) = triggers.try_next().await? {
            if counts(&known, asset, &read.counter) {
                tell(office, job, &trigger, read.reading).await?;
            }
        }
        Ok(Done::Finished)
    }
    .boxed()
}

/// Whether a trigger counts that counter of the asset by any version that holds, now or later.
fn counts(trigger: &Trigger, asset: AssetId, name: &str) -> bool {
    let is_meant = |spec: &Spec| match spec {
        Spec::Usage { subject, counter, .. } => {
            subject.kind == Asset::TYPE && subject.id == asset.0 && counter == name
        }
        Spec::Once { .. }
        | Spec::Interval { .. }
        | Spec::Cron { .. }
        | Spec::Rrule { .. }
        | Spec::Daily { .. }
        | Spec::Weekly { .. }
        | Spec::MonthlyDay { .. }
        | Spec::Seasonal { .. } => false,
    };
    trigger.versions.iter().any(|version| is_meant(&version.terms.spec))
}

/// Each attempt has a key of its own: what was refused for the moment is asked anew, and what was taken changes nothing again.
async fn tell(office: &Office, job: &Job, trigger: &str, reading: u64) -> Result<(), Trouble> {
    let path = format!("/triggers/{trigger}/reading");
    let key = job.key(&format!("{trigger}/{}", job.attempt));
    let body = json!({ "reading": reading });
    match office.commands.post(job.tenant_id, &path, key, &body).await {
        Ok(_) => Ok(()),
        Err(CommandError::Refused(problem)) if NEEDLESS.contains(&&*problem.code) => Ok(()),
        Err(error) => Err(Trouble(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use events::TriggerId;
    use events::scheduling::trigger::{self, Target, Terms};
    use events::scheduling::{Modifiers, Subject};
    use events::testing::{at, id};
    use platform::commands::Cause;
    use platform::testkit::door::{problem, server, token};

    use super::*;
    use crate::testing::{Log, recorded};

    fn created(kind: &str, asset: u128, counter: &str) -> trigger::Event {
        let subject = Subject { kind: kind.into(), id: id(asset) };
        let spec = Spec::Usage { subject, counter: counter.into(), every: 250_000, first_at: None };
        let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
        trigger::Event::Created {
            name: "Service".into(),
            owned_by: id(1),
            target: Target::default(),
            terms: Terms {
                spec,
                modifiers,
                starts_at: None,
                ends_at: None,
                max_fires: None,
                lead_secs: None,
            },
            counts_from: at("2026-01-01T12:00:00Z"),
            next_at: None,
            managed_by: None,
        }
    }

    fn job() -> Job {
        Job {
            id: id(7),
            tenant_id: id(0),
            subject_id: id::<AssetId>(50).to_string(),
            body: json!({ "counter": "hours", "reading": 12_500 }),
            attempt: 1,
            max_attempts: 3,
            cause: Cause::default(),
            error: None,
        }
    }

    async fn with_triggers() -> Log {
        let log = Log::new().await;
        for (number, events) in [
            (1, vec![created("maintenance.asset", 50, "hours")]),
            (2, vec![created("maintenance.asset", 51, "hours")]),
            (3, vec![created("maintenance.asset", 50, "km")]),
            (4, vec![created("maintenance.asset", 50, "hours"), trigger::Event::Cancelled]),
            (5, vec![created("some.machine", 50, "hours")]),
            (6, vec![created("maintenance.asset", 50, "hours"), trigger::Event::Paused]),
        ] {
            log.append::<Trigger>(id(0), id::<TriggerId>(number), &events).await;
        }
        log
    }

    #[test]
    fn a_reading_is_told_as_what_was_counted_in_all() {
        let [value, delta, total] = ["3", "3", "12.5"].map(|text| text.parse().unwrap());
        let at = at("2026-01-01T12:00:00Z");
        let event = Event::UsageRecorded { counter: "hours".into(), value, delta, total, at };
        let effects = on_recorded(&recorded::<Asset>(id(50), &event)).unwrap();
        let Job { subject_id, body, .. } = job();
        assert_eq!(effects, [Effect::Start { kind: KIND, subject_id, body }]);
    }

    #[tokio::test]
    async fn every_trigger_that_counts_the_counter_and_is_not_over_hears_of_it() {
        let log = with_triggers().await;
        let (status, mut refused) = problem(409);
        refused["code"] = json!("TRIGGER_PAUSED");
        let (base, asked) = server(vec![token("t"), (200, json!({})), (status, refused)]).await;
        let (office, _files) = log.office(&base).await;
        assert_eq!(run(&office, &job()).await.unwrap(), Done::Finished);
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 3);
        for (request, number) in asked[1..].iter().zip([1, 6]) {
            let path = format!("POST /api/v1/triggers/{}/reading ", id::<TriggerId>(number));
            assert!(request.starts_with(&path), "{request}");
            assert!(request.contains("{\"reading\":12500}"), "{request}");
        }
    }

    #[tokio::test]
    async fn what_is_refused_for_the_moment_is_tried_again() {
        let log = with_triggers().await;
        let (status, mut refused) = problem(409);
        refused["code"] = json!("TRIGGER_SETTLED");
        let (base, _) = server(vec![token("t"), (status, refused)]).await;
        let (office, _files) = log.office(&base).await;
        assert!(run(&office, &job()).await.is_err());
    }
}
