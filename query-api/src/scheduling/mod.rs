//! Questions about what recurs: triggers, when they are due and why not, and the calendars of closed days.

mod occurrences;
mod past;

use events::Module::Scheduling;
pub(crate) use occurrences::{Occurrence, PERIOD, asked_for};
use platform::routes::Route;

use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::list;
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let triggers = Route::get("/triggers", Scheduling, "scheduling_triggers")
        .summary("What happens when its time has come, and when that is next");
    let calendars = Route::get("/blackout-calendars", Scheduling, "scheduling_blackout_calendars")
        .summary("The calendars of days on which nothing is to happen");
    let lists = vec![
        Endpoint::new(
            listing(triggers, "scheduling.triggers", |g| page_of(g, "scheduling.triggers")),
            |call| async move { list(&call, dataset("scheduling.triggers"), None).await },
        ),
        Endpoint::new(
            listing(calendars, "scheduling.blackout_calendars", |g| {
                page_of(g, "scheduling.blackout_calendars")
            }),
            |call| async move { list(&call, dataset("scheduling.blackout_calendars"), None).await },
        ),
        occurrences::preview(),
        occurrences::of_trigger(),
    ];
    let items = with_past(&past::TRIGGER, trigger()).into_iter();
    let items = items.chain(with_past(&past::BLACKOUT_CALENDAR, blackout_calendar()));
    lists.into_iter().chain(items).collect()
}

fn trigger() -> Endpoint {
    let route =
        Route::get("/triggers/{id}", Scheduling, "scheduling_trigger").summary("One trigger");
    Endpoint::new(
        single(route, "scheduling.triggers", |g| row_of(g, "scheduling.triggers")),
        |call| async move {
            item(&call, dataset("scheduling.triggers"), call.segment("id"), "trigger").await
        },
    )
}

fn blackout_calendar() -> Endpoint {
    let route = Route::get("/blackout-calendars/{id}", Scheduling, "scheduling_blackout_calendar")
        .summary("One calendar of closed days");
    Endpoint::new(
        single(route, "scheduling.blackout_calendars", |g| {
            row_of(g, "scheduling.blackout_calendars")
        }),
        |call| async move {
            let data = dataset("scheduling.blackout_calendars");
            item(&call, data, call.segment("id"), "calendar").await
        },
    )
}
