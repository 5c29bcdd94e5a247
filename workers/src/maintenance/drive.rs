//! What a plan says of a schedule is brought about: tasks that are there already move or make room for others where nobody began them,
//! and the trigger of the schedule does from then on what the plan wants.
//!
//! The job looks at the plan as it is when the job is done, so it does not matter which comes first of several, and nothing is done again.
//! The trigger hears last: what it lets happen once more finds no task in its place that is to go.

use std::collections::BTreeSet;

use anyhow::Context as _;
use events::envelope::Recorded;
use events::maintenance::plan::{Fate, Made, Plan, Schedule};
use events::maintenance::task::Task;
use events::scheduling::blackout_calendar::BlackoutCalendar;
use events::scheduling::trigger;
use events::{AssetId, Decider as _, MaintenanceScheduleId, TaskId};
use futures::FutureExt;
use futures::future::BoxFuture;
use platform::commands::CommandError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::runtime::{Done, Effect, Job, Office, Trouble};

pub(super) const KIND: &str = "maintenance.drive";

/// The events by which something else is wanted of a trigger.
pub(super) const EVENTS: &[&str] = &[
    "maintenance.plan.schedule_added",
    "maintenance.plan.schedule_revised",
    "maintenance.plan.schedule_paused",
    "maintenance.plan.schedule_resumed",
    "maintenance.plan.schedule_removed",
];

/// Where the schedule is.
#[derive(Serialize, Deserialize)]
struct Where {
    asset_id: AssetId,
}

pub(super) fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let schedule = event.decode::<Plan>()?.schedule();
    let body = json!(Where { asset_id: event.aggregate_id.parse()? });
    Ok(vec![Effect::Start { kind: KIND, subject_id: schedule.to_string(), body }])
}

pub(super) fn run<'a>(office: &'a Office, job: &'a Job) -> BoxFuture<'a, Result<Done, Trouble>> {
    async move {
        let id: MaintenanceScheduleId =
            job.subject_id.parse().context("the job names no schedule")?;
        let Where { asset_id } =
            serde_json::from_value(job.body.clone()).context("the job names no asset")?;
        let plan = office.aggregates.refresh::<Plan>(job.tenant_id, &asset_id.to_string()).await?;
        if let Some(schedule) = plan.state.schedules.get(&id) {
            let calendars = calendars(office, job, &plan.state).await?;
            for (task, made) in &schedule.open {
                propagate(office, job, (id, schedule), (*task, made), &calendars).await?;
            }
        }
        let (path, body) = (
            format!("/triggers/{id}/follow"),
            json!({ "managed_by": { "kind": Plan::TYPE, "id": asset_id } }),
        );
        // Each attempt has a key of its own: what is wanted may be something else by now.
        let key = job.key(&format!("follow/{}", job.attempt));
        match office.commands.post(job.tenant_id, &path, key, &body).await {
            Ok(_) => Ok(Done::Finished),
            Err(CommandError::Refused(problem)) => Ok(Done::Stuck(problem.detail)),
            Err(error @ CommandError::Unavailable(_)) => Err(Trouble(error.into())),
        }
    }
    .boxed()
}

async fn calendars(office: &Office, job: &Job, plan: &Plan) -> Result<trigger::Facts, Trouble> {
    let mut facts = trigger::Facts::default();
    for id in plan.calendars().collect::<BTreeSet<_>>() {
        let name = id.to_string();
        let calendar = office.aggregates.refresh::<BlackoutCalendar>(job.tenant_id, &name).await?;
        facts.calendars.insert(id, calendar.state);
    }
    Ok(facts)
}

async fn propagate(
    office: &Office,
    job: &Job,
    (id, schedule): (MaintenanceScheduleId, &Schedule),
    (task_id, made): (TaskId, &Made),
    calendars: &trigger::Facts,
) -> Result<(), Trouble> {
    if schedule.fate(made, true, calendars) == Fate::Stays {
        return Ok(());
    }
    let task = office.aggregates.refresh::<Task>(job.tenant_id, &task_id.to_string()).await?;
    if task.version == 0 {
        return Err(Trouble(anyhow::anyhow!("the task {task_id} is not there yet")));
    }
    let is_untouched = !task.state.started && !task.state.status.is_over();
    match schedule.fate(made, is_untouched, calendars) {
        Fate::Stays => Ok(()),
        Fate::Moves { due_at } => {
            let path = format!("/task-enhancements/{task_id}/reschedule");
            ask(office, job, &path, &json!({ "due_at": due_at })).await.map(|_| ())
        }
        Fate::IsSuperseded { by_version } => {
            let path = format!("/task-enhancements/{task_id}/supersede");
            if ask(office, job, &path, &json!({ "by_version": by_version })).await? {
                let path = format!("/advanced-schedules/{id}/close");
                let body = json!({ "task_id": task_id, "because": "superseded" });
                ask(office, job, &path, &body).await?;
            }
            Ok(())
        }
    }
}

/// Whether it was done; a task that somebody began in the meantime is left alone, by its own rules.
async fn ask(office: &Office, job: &Job, path: &str, body: &Value) -> Result<bool, Trouble> {
    let key = job.key(&format!("{path}/{body}/{}", job.attempt));
    match office.commands.post(job.tenant_id, path, key, body).await {
        Ok(_) => Ok(true),
        Err(CommandError::Refused(problem)) if problem.status == 409 => Ok(false),
        Err(error) => Err(Trouble(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use events::maintenance::plan::{Event, Template};
    use events::maintenance::task;
    use events::scheduling::trigger::Terms;
    use events::scheduling::{Modifiers, Spec};
    use events::testing::{at, id};
    use platform::commands::Cause;
    use platform::testkit::door::{problem, server, token};

    use super::*;
    use crate::testing::{Log, recorded};

    fn terms(hour: i8) -> Terms {
        let spec = Spec::Daily { time: jiff::civil::time(hour, 0, 0, 0) };
        let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
        Terms { spec, modifiers, starts_at: None, ends_at: None, max_fires: None, lead_secs: None }
    }

    fn template(title: &str) -> Template {
        Template { title: title.into(), ..Template::default() }
    }

    fn added() -> Event {
        Event::ScheduleAdded {
            schedule_id: id(10),
            owned_by: id(1),
            title: "Oil".into(),
            terms: terms(9),
            task: template("Change the oil"),
            depends_on: Vec::new(),
            counts_from: at("2026-01-01T12:00:00Z"),
        }
    }

    fn due(day: u32) -> jiff::Timestamp {
        at(&format!("2026-01-{day:02}T09:00:00Z"))
    }

    fn of(day: u32) -> TaskId {
        Plan::task(id(10), due(day), 1)
    }

    fn generated(day: u32) -> Event {
        Event::OccurrenceGenerated {
            schedule_id: id(10),
            version: 1,
            occurrence: format!("2026-01-{day:02}").parse().unwrap(),
            due_at: due(day),
            task_id: of(day),
        }
    }

    fn revised(terms: Terms, task: Template) -> Event {
        Event::ScheduleRevised {
            schedule_id: id(10),
            version: 2,
            title: "Oil".into(),
            terms,
            task,
            effective_from: at("2026-01-03T00:00:00Z"),
        }
    }

    fn job() -> Job {
        Job {
            id: id(7),
            tenant_id: id(0),
            subject_id: id::<AssetId>(10).to_string(),
            body: json!({ "asset_id": id::<AssetId>(3) }),
            attempt: 1,
            max_attempts: 3,
            cause: Cause::default(),
            error: None,
        }
    }

    /// A plan with tasks of the second to the fifth, of which the fourth is started and the fifth over.
    async fn with_tasks(last: Event) -> Log {
        let log = Log::new().await;
        let made = [added(), generated(2), generated(3), generated(4), generated(5), last];
        log.append::<Plan>(id(0), id::<AssetId>(3), &made).await;
        for (day, more) in [
            (2, None),
            (3, None),
            (4, Some(task::Event::Started)),
            (5, Some(task::Event::Completed)),
        ] {
            let created = task::Event::Created(task::Created::default());
            let events: Vec<_> = [created].into_iter().chain(more).collect();
            log.append::<Task>(id(0), of(day), &events).await;
        }
        log
    }

    async fn asked(log: &Log, answers: Vec<(u16, Value)>) -> (anyhow::Result<Done>, Vec<String>) {
        let answers = [token("t")].into_iter().chain(answers).collect();
        let (base, asked) = server(answers).await;
        let (office, _files) = log.office(&base).await;
        let done = run(&office, &job()).await.map_err(|Trouble(error)| error);
        let asked = asked.lock().unwrap().iter().skip(1).cloned().collect();
        (done, asked)
    }

    fn ok() -> (u16, Value) {
        (200, json!({}))
    }

    fn begins(request: &str, path: &str) {
        assert!(request.starts_with(&format!("POST /api/v1{path} ")), "{request}");
    }

    #[test]
    fn every_event_that_changes_what_is_wanted_is_a_job_about_its_schedule() {
        let recorded = recorded::<Plan>(id::<AssetId>(3).0, &added());
        let Job { subject_id, body, .. } = job();
        let effects = on_event(&recorded).unwrap();
        assert_eq!(effects, [Effect::Start { kind: KIND, subject_id, body }]);
    }

    #[tokio::test]
    async fn a_trigger_hears_that_it_is_to_follow_its_plan() {
        let log = Log::new().await;
        log.append::<Plan>(id(0), id::<AssetId>(3), &[added()]).await;
        let (done, asked) = asked(&log, vec![ok()]).await;
        assert_eq!(done.unwrap(), Done::Finished);
        begins(&asked[0], &format!("/triggers/{}/follow", id::<AssetId>(10)));
        let plan = format!(r#""id":"{}","kind":"maintenance.plan""#, id::<AssetId>(3));
        assert!(asked[0].contains(&plan), "{}", asked[0]);
    }

    #[tokio::test]
    async fn what_nobody_began_makes_room_and_what_was_begun_or_lies_before_stays() {
        let log = with_tasks(revised(terms(9), template("Change oil and filter"))).await;
        let (done, asked) = asked(&log, vec![ok(), ok(), ok()]).await;
        assert_eq!(done.unwrap(), Done::Finished);
        let [superseded, closed, followed] = &asked[..] else { panic!("{asked:?}") };
        begins(superseded, &format!("/task-enhancements/{}/supersede", of(3)));
        begins(closed, &format!("/advanced-schedules/{}/close", id::<AssetId>(10)));
        assert!(closed.contains(&of(3).to_string()), "{closed}");
        begins(followed, &format!("/triggers/{}/follow", id::<AssetId>(10)));
    }

    #[tokio::test]
    async fn what_is_due_at_another_time_of_its_day_moves() {
        let log = with_tasks(revised(terms(17), template("Change the oil"))).await;
        let (done, asked) = asked(&log, vec![ok(), ok()]).await;
        assert_eq!(done.unwrap(), Done::Finished);
        begins(&asked[0], &format!("/task-enhancements/{}/reschedule", of(3)));
        assert!(asked[0].contains("2026-01-03T17:00:00Z"), "{}", asked[0]);
    }

    #[tokio::test]
    async fn what_is_begun_in_the_meantime_is_left_alone() {
        let log = with_tasks(revised(terms(9), template("Change oil and filter"))).await;
        let (done, asked) = asked(&log, vec![problem(409), ok()]).await;
        assert_eq!(done.unwrap(), Done::Finished);
        begins(&asked[1], &format!("/triggers/{}/follow", id::<AssetId>(10)));
    }

    #[tokio::test]
    async fn what_cannot_be_done_now_is_tried_again_and_what_is_refused_is_to_be_seen() {
        let log = with_tasks(revised(terms(9), template("Change oil and filter"))).await;
        assert!(asked(&log, vec![problem(403)]).await.0.is_err());
        let log = Log::new().await;
        log.append::<Plan>(id(0), id::<AssetId>(3), &[added()]).await;
        let (done, _) = asked(&log, vec![problem(409)]).await;
        assert!(matches!(done.unwrap(), Done::Stuck(_)));
        let more = revised(terms(9), template("Change oil and filter"));
        let log = Log::new().await;
        log.append::<Plan>(id(0), id::<AssetId>(3), &[added(), generated(3), more]).await;
        let (done, asked) = asked(&log, vec![]).await;
        assert!(done.is_err() && asked.is_empty(), "a task that is not there yet is waited for");
    }

    #[tokio::test]
    async fn what_is_said_of_one_task_and_of_another_has_keys_of_its_own() {
        let log = with_tasks(Event::SchedulePaused { schedule_id: id(10) }).await;
        let more = [generated(6), revised(terms(9), template("Change oil and filter"))];
        log.append::<Plan>(id(0), id::<AssetId>(3), &more).await;
        let created = task::Event::Created(task::Created::default());
        log.append::<Task>(id(0), of(6), &[created]).await;
        let (done, asked) = asked(&log, vec![ok(), ok(), ok(), ok(), ok()]).await;
        assert_eq!(done.unwrap(), Done::Finished);
        let key = |request: &String| {
            let line = request.lines().find(|line| line.starts_with("idempotency-key: "));
            line.map(str::to_owned)
        };
        let keys: std::collections::BTreeSet<_> = asked.iter().map(key).collect();
        assert_eq!((asked.len(), keys.len()), (5, 5), "{asked:?}");
    }
}
