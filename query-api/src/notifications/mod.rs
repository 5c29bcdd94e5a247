//! Questions about the caller's own notifications.

use events::Module::Notifications;
use platform::dataset::{Bind, Statement};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;

use crate::answer::{Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::list_own;
use crate::shape::{WAITING, dataset, listing, page_of};

/// How many notifications wait to be read.
#[derive(Debug, Serialize, JsonSchema)]
struct Unread {
    unread: i64,
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let inbox = Route::get("/notifications", Notifications, "notifications_notifications")
        .summary("The caller's notifications, newest first");
    vec![
        Endpoint::new(
            listing(inbox, "notifications.notifications", |g| {
                page_of(g, "notifications.notifications")
            })
            .in_person(),
            |call| async move { list_own(&call, dataset("notifications.notifications")).await },
        ),
        unread(),
    ]
}

fn unread() -> Endpoint {
    let route =
        Route::get("/notifications/unread-count", Notifications, "notifications_unread_count")
            .summary("How many of the caller's notifications are unread")
            .in_person()
            .parameters(WAITING)
            .answers::<Stamped<Unread>>(200);
    Endpoint::new(route, |call: Call| async move {
        let mut statement = Statement::default();
        let number = statement.bind(Bind::Id(call.person()?.0));
        statement.sql = format!(
            "select count(*) as unread from read.notifications_notifications t \
             where t.user_id = ${number} and t.read_at is null"
        );
        let asked = call.ask(&["notifications_notifications"], &statement).await?;
        let row = asked.rows.first();
        let unread = row.map(|row| row.try_get("unread")).transpose()?.unwrap_or_default();
        Ok(stamped(&call, &asked, Unread { unread }))
    })
}
