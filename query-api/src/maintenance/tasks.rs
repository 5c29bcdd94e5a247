//! Questions about tasks: which there are, and one of them with all its parts and what it lacks.

use ::events::Module::Maintenance;
use axum::response::Response;
use platform::problem::Problem;
use platform::routes::Route;

use super::past;
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
    [tasks, whole(same)].into_iter().chain(with_past(&past::TASK, whole(task))).collect()
}

fn whole(route: Route) -> Endpoint {
    Endpoint::new(single(route, DETAILS, |g| row_of(g, DETAILS)), |call| async move {
        shown(&call).await
    })
}

async fn shown(call: &Call) -> Result<Response, Problem> {
    item(call, dataset(DETAILS), call.segment("id"), "task").await
}
