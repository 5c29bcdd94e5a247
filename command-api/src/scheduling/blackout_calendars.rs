//! Routes of the calendars of days on which nothing is to happen.

use events::scheduling::blackout_calendar::{BlackoutCalendar, Command};
use events::scheduling::{Blackout, Recurring};
use events::{BlackoutCalendarId, BlackoutId, Module, Permission};
use jiff::civil::Date;
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// A calendar to define.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewCalendar {
    /// The calendar's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<BlackoutCalendarId>,
    /// What people call it.
    name: String,
}

/// What a calendar is to be called.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Name {
    /// What people call it.
    name: String,
}

/// Days to close.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewBlackout {
    /// The id of the entry, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<BlackoutId>,
    /// The first day.
    from: Date,
    /// The last day.
    to: Date,
    /// What they are, for people.
    label: String,
    /// Whether they come again.
    #[serde(default)]
    recurring: Recurring,
}

const CALENDAR: &str = "/blackout-calendars/{blackout_calendar_id}";

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::SchedulingBlackoutCalendarsManage);
    let module = Module::Scheduling;
    registry.command::<NewCalendar, BlackoutCalendar>(
        manage(Route::post("/blackout-calendars", module, "scheduling_blackout_calendar_define"))
            .summary("define a calendar of days on which nothing is to happen")
            .answers::<()>(201),
        |call| {
            let NewCalendar { id, name } = call.body.clone();
            let id = id.unwrap_or_else(clock::new_id);
            let target = Target::create(id, Command::Define { name });
            Ok(target.at("/blackout-calendars/{id}"))
        },
    );
    registry.command::<Name, BlackoutCalendar>(
        manage(Route::patch(CALENDAR, module, "scheduling_blackout_calendar_rename"))
            .summary("call a calendar of blackouts something else"),
        |call| target(call, Command::Rename { name: call.body.name.clone() }),
    );
    registry.command::<Nothing, BlackoutCalendar>(
        manage(Route::delete(CALENDAR, module, "scheduling_blackout_calendar_retire"))
            .summary("retire a calendar of blackouts; it closes no day any more"),
        |call| target(call, Command::Retire),
    );
    registry.command::<NewBlackout, BlackoutCalendar>(
        manage(Route::post(
            "/blackout-calendars/{blackout_calendar_id}/blackouts",
            module,
            "scheduling_blackout_calendar_add_blackout",
        ))
        .summary("close days; triggers that name the calendar are planned anew"),
        |call| {
            let NewBlackout { id, from, to, label, recurring } = call.body.clone();
            let blackout_id = id.unwrap_or_else(clock::new_id);
            let blackout = Blackout { from, to, label, recurring };
            target(call, Command::Add { blackout_id, blackout })
        },
    );
    registry.command::<Nothing, BlackoutCalendar>(
        manage(Route::delete(
            "/blackout-calendars/{blackout_calendar_id}/blackouts/{blackout_id}",
            module,
            "scheduling_blackout_calendar_remove_blackout",
        ))
        .summary("open days again; triggers that name the calendar are planned anew"),
        |call| {
            let blackout_id: BlackoutId = call.id("blackout_id")?;
            target(call, Command::Remove { blackout_id })
        },
    );
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<BlackoutCalendar>, Problem> {
    let id: BlackoutCalendarId = call.id("blackout_calendar_id")?;
    Ok(Target::new(id, command))
}
