//! The users, one row each, with all that is known of them but their secrets.

use events::identity::user::{Event, User};
use events::personal::ERASED;
use events::{Decider as _, IssuerId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Users;

row!(Row {
    tenant_id: TenantId = Uuid,
    user_id: UserId = Uuid,
    handle: String = Text,
    display_name: String = Text,
    email: Option<String> = Text,
    locale: String = Text,
    time_zone: String = Text,
    status: String = Text,
    deactivated_at: Option<Timestamp> = Timestamptz,
    deactivation_reason: Option<String> = Text,
    has_password: bool = Boolean,
    login_failures: u32 = Integer,
    locked_until: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
    email_confirmed: bool = Boolean,
    identities: Vec<IssuerId> = Jsonb,
    phone: Option<String> = Text,
});

const ACTIVE: &str = "active";
const DEACTIVATED: &str = "deactivated";

impl ReadModel for Users {
    const TABLE: Table = Table {
        name: "identity_users",
        schema: "read",
        table: "identity_users",
        key: &["tenant_id", "user_id"],
        group: "user_id",
        resource: ("identity.user", "user_id"),
        columns: Row::COLUMNS,
        reads: &[User::TYPE],
    };
    const BUILD: i32 = 4;
    const OPENS: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<User>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<User>()? else { return Ok(()) };
        if let Event::Registered { handle, display_name, email, locale, time_zone } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                user_id: fact.stream_id()?,
                handle: handle.clone(),
                display_name: display_name.clone(),
                email: email.clone(),
                email_confirmed: false,
                phone: None,
                locale: locale.clone(),
                time_zone: time_zone.clone(),
                status: ACTIVE.into(),
                deactivated_at: None,
                deactivation_reason: None,
                has_password: false,
                identities: Vec::new(),
                login_failures: 0,
                locked_until: None,
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("user", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        Ok(())
    }
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    match event {
        Event::Renamed { display_name } => row.display_name.clone_from(display_name),
        Event::Relocated { locale, time_zone } => {
            row.locale.clone_from(locale);
            row.time_zone.clone_from(time_zone);
        }
        Event::EmailReplaced { email, .. } => {
            row.email.clone_from(email);
            row.email_confirmed = false;
        }
        Event::HandleReplaced { handle, .. } => row.handle.clone_from(handle),
        Event::PhoneReplaced { phone } => row.phone.clone_from(phone),
        Event::EmailConfirmed => row.email_confirmed = true,
        Event::IdentityLinked { issuer_id, .. } => row.identities.push(*issuer_id),
        Event::IdentityUnlinked { issuer_id, .. } => row.identities.retain(|it| it != issuer_id),
        Event::PasswordReplaced { .. } => row.has_password = true,
        Event::Registered { .. }
        | Event::PasswordResetRequested { .. }
        | Event::EmailChangeRequested { .. }
        | Event::SessionsEnded { .. } => {}
        Event::LoginFailed { count, .. } => row.login_failures = *count,
        Event::Locked { until } => row.locked_until = Some(*until),
        Event::LoginFailuresCleared => row.login_failures = 0,
        Event::Unlocked => {
            row.login_failures = 0;
            row.locked_until = None;
        }
        Event::Deactivated { reason } => {
            row.status = DEACTIVATED.into();
            row.deactivated_at = Some(at);
            row.deactivation_reason = Some(reason.clone());
        }
        Event::Reactivated => {
            row.status = ACTIVE.into();
            row.deactivated_at = None;
            row.deactivation_reason = None;
        }
        Event::Erased { .. } => forget(row),
    }
}

/// The row stays, so that ids in history lead somewhere.
fn forget(row: &mut Row) {
    row.status = ERASED.into();
    row.handle = ERASED.into();
    row.display_name = ERASED.into();
    row.email = None;
    row.phone = None;
    row.deactivation_reason = row.deactivation_reason.take().map(|_| ERASED.into());
    row.has_password = false;
    row.email_confirmed = false;
    row.login_failures = 0;
    row.locked_until = None;
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn registered() -> Event {
        Event::Registered {
            handle: "ada".into(),
            display_name: "Ada".into(),
            email: Some("ada@example.org".into()),
            locale: "en".into(),
            time_zone: "UTC".into(),
        }
    }

    fn after(events: impl IntoIterator<Item = Event>) -> serde_json::Value {
        let events = [registered()].into_iter().chain(events);
        Past::default().with::<User>(id::<UserId>(1), events).row::<Users>()
    }

    #[test]
    fn a_registered_user_is_active_and_has_no_password() {
        let row = after([]);
        assert_eq!(row["status"], "active");
        assert_eq!(row["has_password"], false);
        assert_eq!(row["email"], "ada@example.org");
    }

    #[test]
    fn a_user_goes_by_the_handle_and_the_number_they_had_last() {
        let named = Event::HandleReplaced { previous: "ada".into(), handle: "countess".into() };
        let reached = |phone: Option<&str>| Event::PhoneReplaced { phone: phone.map(Into::into) };
        let row = after([named, reached(Some("+441632960961"))]);
        assert_eq!((&row["handle"], &row["phone"]), (&json!("countess"), &json!("+441632960961")));
        assert_eq!(after([reached(Some("+441632960961")), reached(None)])["phone"], json!(null));
        let erased = Event::Erased { handle: "ada".into(), email: None };
        assert_eq!(after([reached(Some("+441632960961")), erased])["phone"], json!(null));
    }

    #[test]
    fn failures_lock_and_unlocking_forgets_them() {
        let failed =
            Event::LoginFailed { count: 10, failed_at: at("2026-01-01T12:00:00Z"), ip: None };
        let locked = Event::Locked { until: at("2026-01-01T13:00:00Z") };
        let row = after([failed.clone(), locked.clone()]);
        assert_eq!(row["login_failures"], 10);
        assert_eq!(row["locked_until"], "2026-01-01T13:00:00Z");
        let row = after([failed, locked, Event::Unlocked]);
        assert_eq!(row["login_failures"], 0);
        assert_eq!(row["locked_until"], json!(null));
    }

    #[test]
    fn a_deactivated_user_comes_back_as_before() {
        let gone = Event::Deactivated { reason: "left".into() };
        assert_eq!(after([gone.clone()])["deactivation_reason"], "left");
        let row = after([gone, Event::Reactivated]);
        assert_eq!(row["status"], "active");
        assert_eq!(row["deactivated_at"], json!(null));
        assert_eq!(row["version"], 3);
    }

    #[test]
    fn a_user_shows_who_vouches_for_them_and_whether_their_address_is_confirmed() {
        let linked = Event::IdentityLinked { issuer_id: id(9), subject_sha256: "feed".into() };
        let row = after([Event::EmailConfirmed, linked.clone()]);
        assert_eq!(row["identities"], json!([id::<IssuerId>(9)]));
        assert_eq!(row["email_confirmed"], true);
        assert!(!row.to_string().contains("feed"));
        let unlinked = Event::IdentityUnlinked { issuer_id: id(9), subject_sha256: "feed".into() };
        let elsewhere = Event::EmailReplaced { previous: None, email: None };
        let row = after([Event::EmailConfirmed, linked, unlinked, elsewhere]);
        assert_eq!((&row["identities"], &row["email_confirmed"]), (&json!([]), &json!(false)));
    }

    #[test]
    fn an_erased_user_leaves_a_row_that_says_nothing_of_them() {
        let gone = Event::Deactivated { reason: "Ada left".into() };
        let erased = Event::Erased { handle: "ada".into(), email: Some("ada@example.org".into()) };
        let row = after([gone, erased]);
        assert_eq!((&row["status"], &row["handle"]), (&json!("erased"), &json!("erased")));
        assert!(!row.to_string().to_lowercase().contains("ada"), "{row}");
    }

    #[test]
    fn what_happens_to_nobody_is_an_error() {
        let past = Past::default().with::<User>(id::<UserId>(1), [Event::Unlocked]);
        assert!(past.folded::<Users>().is_err());
    }
}
