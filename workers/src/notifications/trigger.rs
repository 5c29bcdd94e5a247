//! What the owner of a trigger is told: that what it leads to was refused, once a day for each reason.

use events::identity::user::{Status, User};
use events::notifications::notification::{Kind, Priority};
use events::scheduling::trigger::{Event, Trigger};
use events::{Decider as _, TenantId, UserId};
use jiff::tz::TimeZone;

use super::tell::{Cause, Message};
use crate::runtime::{Job, Office};

/// Administrators told instead of an owner who is not there any more.
const MOST: usize = 20;

pub(super) async fn of_trigger(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    // One event of many; the others are not asked for.
    let Event::CommandRefused { occurrence, command, detail, .. } =
        serde_json::from_str(&cause.payload)?
    else {
        return Ok(Vec::new());
    };
    let (tenant, id) = (job.tenant_id, &cause.stream_id);
    let trigger = office.aggregates.refresh::<Trigger>(tenant, id).await?.state;
    let told = answering(office, tenant, trigger.owned_by).await?;
    let at = occurrence.strftime("%Y-%m-%d %H:%M UTC");
    let message = |user_id| Message {
        user_id,
        kind: Kind::TriggerRefused,
        title: format!("“{}” was not carried out", trigger.name),
        text: format!("{command}, which was due at {at}, was refused: {detail}"),
        priority: Priority::High,
    };
    Ok(told.into_iter().map(message).collect())
}

/// Who answers for what somebody owns: they themselves, or administrators where they are not there any more.
pub(super) async fn answering(
    office: &Office,
    tenant: TenantId,
    owner: UserId,
) -> anyhow::Result<Vec<UserId>> {
    let known = office.aggregates.refresh::<User>(tenant, &owner.to_string()).await?;
    if known.state.status == Status::Active {
        return Ok(vec![owner]);
    }
    Ok(office.administrators(tenant).await?.into_iter().take(MOST).collect())
}

/// What happens every minute is refused every minute.
pub(super) fn once_a_day(cause: &Cause) -> Option<String> {
    if cause.stream != Trigger::TYPE {
        return None;
    }
    let Event::CommandRefused { code, .. } = serde_json::from_str(&cause.payload).ok()? else {
        return None;
    };
    let day = cause.at?.to_zoned(TimeZone::UTC).date();
    Some(format!("{}/{}/{code}/{day}", Trigger::TYPE, cause.stream_id))
}

#[cfg(test)]
mod tests {
    use events::testing::at;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reason_is_told_once_a_day() {
        let key = |code: &str, time: &str| {
            let event = Event::CommandRefused {
                occurrence: at(time),
                command: "backups_backup_request".into(),
                code: code.into(),
                detail: "x".into(),
            };
            let payload = serde_json::to_string(&event).unwrap();
            let cause = json!({"stream": Trigger::TYPE, "stream_id": "t", "payload": payload,
                "at": time});
            once_a_day(&serde_json::from_value(cause).unwrap()).unwrap()
        };
        let morning = key("FORBIDDEN", "2026-01-02T09:00:00Z");
        assert_eq!(morning, key("FORBIDDEN", "2026-01-02T23:00:00Z"));
        assert_ne!(morning, key("FORBIDDEN", "2026-01-03T09:00:00Z"));
        assert_ne!(morning, key("OWNER_INACTIVE", "2026-01-02T09:00:00Z"));
    }
}
