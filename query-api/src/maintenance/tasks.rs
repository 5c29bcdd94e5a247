//! Questions about tasks: which there are, and one of them with all its parts and what it lacks.

use ::events::Module::Maintenance;
use axum::response::Response;
use platform::problem::Problem;
use platform::routes::Route;

use super::{of_seen, past};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::list;
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

const TASKS: &str = "maintenance.tasks";
const DETAILS: &str = "maintenance.task_details";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let tasks = Route::get("/tasks", Maintenance, "maintenance_tasks").summary(
        "The tasks of units in which the caller may see them, and those that the caller is to do",
    );
    let tasks = listing(tasks, TASKS, |g| page_of(g, TASKS));
    let tasks = Endpoint::new(tasks, |call| async move { list(&call, dataset(TASKS), None).await });
    let task = Route::get("/tasks/{id}", Maintenance, "maintenance_task").summary(
        "One task with its parts, what it takes to complete it and what of that is missing",
    );
    let same = Route::get("/task-enhancements/{id}", Maintenance, "maintenance_task_enhancements")
        .summary("The same as `/tasks/{id}`");
    let all = [tasks, whole(same)].into_iter().chain(with_past(&past::TASK, whole(task)));
    all.chain(parts()).collect()
}

/// What belongs to one task, as lists.
fn parts() -> [Endpoint; 3] {
    let assignees = Route::get("/tasks/{id}/assignees", Maintenance, "maintenance_task_assignees")
        .summary("Who is to do a task, and who of them has confirmed that it is done");
    let subtasks = Route::get("/tasks/{id}/subtasks", Maintenance, "maintenance_subtasks")
        .summary("The subtasks of a task, of all levels");
    let demands =
        Route::get("/tasks/{id}/requirements", Maintenance, "maintenance_task_requirements")
            .summary("What it takes to complete a task besides its subtasks, one by one");
    [
        Endpoint::new(
            listing(assignees, "maintenance.task_assignees", |g| {
                page_of(g, "maintenance.task_assignees")
            }),
            |call| async move { of_task(&call, "maintenance.task_assignees").await },
        ),
        Endpoint::new(
            listing(subtasks, "maintenance.subtasks", |g| page_of(g, "maintenance.subtasks")),
            |call| async move { of_task(&call, "maintenance.subtasks").await },
        ),
        Endpoint::new(
            listing(demands, "maintenance.task_requirements", |g| {
                page_of(g, "maintenance.task_requirements")
            }),
            |call| async move { of_task(&call, "maintenance.task_requirements").await },
        ),
    ]
}

/// The rows of a dataset that are about a task which the caller sees.
async fn of_task(call: &Call, name: &'static str) -> Result<Response, Problem> {
    of_seen(call, (TASKS, "task_id", "task"), name).await
}

fn whole(route: Route) -> Endpoint {
    Endpoint::new(single(route, DETAILS, |g| row_of(g, DETAILS)), |call| async move {
        item(&call, dataset(DETAILS), call.segment("id"), "task").await
    })
}
