//! What whoever answers for a program elsewhere is told: that it has not answered for long, and that it hears of nothing any more.

use events::notifications::notification::{Kind, Priority};
use events::webhooks::endpoint::{DisableReason, Endpoint, Event};

use super::tell::{Cause, Message};
use super::trigger::answering;
use crate::runtime::{Job, Office};

pub(super) async fn of_endpoint(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    let Some((kind, title, reason)) = news(&serde_json::from_str(&cause.payload)?) else {
        return Ok(Vec::new());
    };
    let (tenant, id) = (job.tenant_id, &cause.stream_id);
    let endpoint = office.aggregates.refresh::<Endpoint>(tenant, id).await?.state;
    let told = answering(office, tenant, endpoint.owned_by).await?;
    let message = |user_id| Message {
        user_id,
        kind,
        title: title.to_owned(),
        text: format!("{} {reason}", endpoint.url),
        priority: Priority::High,
    };
    Ok(told.into_iter().map(message).collect())
}

/// Two events of many are news, and of those not what somebody did themselves.
fn news(event: &Event) -> Option<(Kind, &'static str, String)> {
    match event {
        Event::FailingAnnounced { since } => {
            let since = since.strftime("%Y-%m-%d %H:%M UTC");
            let reason = format!(
                "has not taken anything since {since}. After five days it hears of nothing any more."
            );
            Some((Kind::WebhookFailing, "A program does not answer", reason))
        }
        Event::Disabled { reason } => {
            let why = match reason {
                DisableReason::User => return None,
                DisableReason::Failing => "has not answered for five days",
                DisableReason::Gone => "says that it is gone",
                DisableReason::OwnerLost => {
                    "was told in the name of somebody who may not see events any more"
                }
            };
            let reason = format!("{why}, so it hears of nothing until it is enabled.");
            Some((Kind::WebhookDisabled, "A program hears of nothing any more", reason))
        }
        Event::Registered { .. }
        | Event::Revised { .. }
        | Event::SecretRotated { .. }
        | Event::Enabled { .. }
        | Event::TestRequested
        | Event::RedeliveryRequested { .. }
        | Event::DeliveryDeadLettered { .. }
        | Event::Deleted => None,
    }
}

#[cfg(test)]
mod tests {
    use events::testing::at;

    use super::*;

    #[test]
    fn what_becomes_of_a_program_by_itself_is_news_and_what_somebody_does_is_none() {
        let since = at("2026-01-02T09:00:00Z");
        let (kind, _, reason) = news(&Event::FailingAnnounced { since }).unwrap();
        assert_eq!(kind, Kind::WebhookFailing);
        assert!(reason.contains("since 2026-01-02 09:00 UTC"), "{reason}");
        for reason in <DisableReason as strum::VariantArray>::VARIANTS {
            let told = news(&Event::Disabled { reason: *reason });
            assert_eq!(told.is_none(), *reason == DisableReason::User, "{reason:?}");
        }
        assert_eq!(news(&Event::TestRequested), None);
    }
}
