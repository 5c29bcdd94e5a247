//! When days are closed or opened, every trigger that names the calendar is planned anew.

use anyhow::Context as _;
use events::BlackoutCalendarId;
use events::envelope::Recorded;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use serde_json::json;

use super::naming::naming;
use crate::runtime::{Done, Effect, Job, Office, Trouble};

pub(super) const EVENTS: &[&str] = &[
    "scheduling.blackout_calendar.blackout_added",
    "scheduling.blackout_calendar.blackout_removed",
    "scheduling.blackout_calendar.retired",
];

pub(super) const KIND: &str = "scheduling.replan";

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
pub(super) fn on_changed(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    Ok(vec![Effect::Start { kind: KIND, subject_id, body: json!({}) }])
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let calendar: BlackoutCalendarId =
            job.subject_id.parse().context("the job names no calendar")?;
        let triggers = naming(office, job.tenant_id, calendar.0);
        let mut triggers = std::pin::pin!(triggers);
        while let Some((trigger, known)) = triggers.try_next().await? {
            if known.calendars().any(|named| named == calendar) {
                let path = format!("/triggers/{trigger}/replan");
                let (key, nothing) = (job.key(&trigger), json!({}));
                let posted = office.commands.post(job.tenant_id, &path, key, &nothing).await;
                posted.map_err(|error| Trouble(error.into()))?;
            }
        }
        Ok(Done::Finished)
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use events::TriggerId;
    use events::scheduling::trigger::{Event, Target, Terms, Trigger};
    use events::scheduling::{Modifiers, Spec};
    use events::testing::{at, id};
    use platform::commands::Cause;
    use platform::testkit::door::{server, token};

    use super::*;
    use crate::testing::Log;

    fn created(calendar: u128) -> Event {
        let time_zone = "UTC".to_owned();
        let blackout_ids = vec![id(calendar)];
        let modifiers = Modifiers { time_zone, blackout_ids, ..Modifiers::default() };
        let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
        let next_at = Some(at("2026-01-02T09:00:00Z"));
        Event::Created {
            name: "Daily".into(),
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
            next_at,
            managed_by: None,
        }
    }

    #[tokio::test]
    async fn every_trigger_that_names_the_calendar_and_is_not_over_is_planned_anew() {
        let log = Log::new().await;
        for (number, events) in [
            (1, vec![created(50)]),
            (2, vec![created(51)]),
            (3, vec![created(50), Event::Cancelled]),
            (4, vec![created(50), Event::Paused]),
        ] {
            log.append::<Trigger>(id(0), id::<TriggerId>(number), &events).await;
        }
        let ok = || (200, json!({}));
        let (base, asked) = server(vec![token("t"), ok(), ok()]).await;
        let (office, _files) = log.office(&base).await;
        let job = Job {
            id: id(7),
            tenant_id: id(0),
            subject_id: id::<BlackoutCalendarId>(50).to_string(),
            body: json!({}),
            attempt: 1,
            max_attempts: 3,
            cause: Cause::default(),
            error: None,
        };
        assert_eq!(run(&office, &job).await.unwrap(), Done::Finished);
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 3);
        for (request, number) in asked[1..].iter().zip([1, 4]) {
            let path = format!("POST /api/v1/triggers/{}/replan ", id::<TriggerId>(number));
            assert!(request.starts_with(&path), "{request}");
        }
    }
}
