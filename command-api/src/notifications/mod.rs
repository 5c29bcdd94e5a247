//! Routes of notifications: sending, reading, deleting.

mod unsubscribe;

use events::notifications::notification::{Command, Kind, Link, Notification, Priority, Send};
use events::{Module, NotificationId, Permission, UserId};
use platform::clock;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Nothing, Registry};

pub(crate) use unsubscribe::page;

/// A message to one user.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendTo {
    /// The message's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<NotificationId>,
    /// The recipient.
    user_id: UserId,
    /// What it is about.
    kind: Kind,
    /// Its first line.
    title: String,
    /// The rest of it.
    #[serde(default)]
    message: String,
    /// What it leads to.
    #[serde(default)]
    link: Option<Link>,
    /// How much it matters.
    #[serde(default)]
    priority: Priority,
    /// What the sender calls it, to tell the recipient once.
    #[serde(default)]
    dedupe_key: Option<String>,
}

pub(crate) fn routes(registry: &mut Registry) {
    registry.command::<SendTo, Notification>(
        Route::post(
            "/notifications/send",
            Module::Notifications,
            "notifications_notification_send",
        )
        .summary("put a message into a user's inbox")
        .needs(Permission::NotificationsMessagesSend)
        .answers::<()>(201),
        |call| {
            let body = &call.body;
            let id: NotificationId = body.id.unwrap_or_else(clock::new_id);
            let message = Send {
                user_id: body.user_id,
                kind: body.kind,
                title: body.title.clone(),
                message: body.message.clone(),
                link: body.link.clone(),
                priority: body.priority,
                dedupe_key: body.dedupe_key.clone(),
            };
            Ok(Target::create(id, Command::Send(message)))
        },
    );
    registry.command::<Nothing, Notification>(
        Route::post(
            "/notifications/{notification_id}/read",
            Module::Notifications,
            "notifications_notification_mark_read",
        )
        .summary("mark your notification as read")
        .in_person(),
        |call| {
            let id: NotificationId = call.id("notification_id")?;
            Ok(Target::new(id, Command::MarkRead))
        },
    );
    registry.command::<Nothing, Notification>(
        Route::post(
            "/notifications/{notification_id}/expire",
            Module::Notifications,
            "notifications_notification_expire",
        )
        .summary("take a notification away that was kept long enough; our workers do")
        .needs(Permission::NotificationsMessagesSend),
        |call| {
            let id: NotificationId = call.id("notification_id")?;
            Ok(Target::new(id, Command::Expire))
        },
    );
    registry.command::<Nothing, Notification>(
        Route::delete(
            "/notifications/{notification_id}",
            Module::Notifications,
            "notifications_notification_delete",
        )
        .summary("delete your notification")
        .in_person(),
        |call| {
            let id: NotificationId = call.id("notification_id")?;
            Ok(Target::new(id, Command::Delete))
        },
    );
    unsubscribe::routes(registry);
}
