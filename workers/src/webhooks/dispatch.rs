//! From events to deliveries: one job for each program that wants an event, with ids that follow from both.
//!
//! What is remembered of an organisation are its programs, as its events before have them. So a program hears of nothing that came
//! before it was registered or while it was disabled, whenever the log is read, and never of another organisation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use events::envelope::Recorded;
use events::webhooks::Wanted;
use events::webhooks::endpoint::{Endpoint, Event, Status};
use events::{Decider, DeliveryId, EndpointId, catalogue};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::DELIVER;
use crate::runtime::{Effect, Process, Turn, id_caused_by};

/// Every event that a program can be told of, and those that say which programs there are.
static EVENTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    static OWN: LazyLock<Vec<String>> = LazyLock::new(|| {
        catalogue::of::<Endpoint>().into_iter().map(|entry| entry.event_type).collect()
    });
    Wanted::all().iter().chain(OWN.iter()).map(String::as_str).collect()
});

/// The events that the process wants to see.
pub(super) fn events() -> &'static [&'static str] {
    &EVENTS
}

/// Finds out who is to hear of an event.
pub(super) struct Dispatch;

/// An event that a program is to be told of, as the job has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) delivery_id: DeliveryId,
    pub(super) event_id: Uuid,
    /// Where it stands in the log.
    pub(super) position: i64,
}

/// The programs of an organisation that are not deleted, by their ids.
type Programs = BTreeMap<EndpointId, Endpoint>;

impl Process for Dispatch {
    const NAME: &'static str = "webhooks_dispatch";
    type Memory = Programs;

    /// All of an organisation is one matter.
    fn correlation(event: &Recorded) -> anyhow::Result<Option<String>> {
        Ok(Some(event.tenant_id.to_string()))
    }

    fn turn(memory: Option<Programs>, event: &Recorded) -> anyhow::Result<Turn<Programs>> {
        let mut programs = memory.unwrap_or_default();
        let effects = if event.is::<Endpoint>() {
            changed(&mut programs, event)?
        } else {
            let wanting = programs.iter().filter(|(_, program)| program.wants(&event.event_type));
            wanting.map(|(id, _)| tell(*id, &of(event, *id))).collect()
        };
        let memory = Some(programs).filter(|programs| !programs.is_empty());
        Ok(Turn { memory, effects })
    }
}

/// What is recorded of a program itself, which it hears of where it is a test.
fn changed(programs: &mut Programs, recorded: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let id: EndpointId = recorded.aggregate_id.parse()?;
    let event: Event = serde_json::from_str(&recorded.payload)?;
    let program = programs.entry(id).or_default();
    program.evolve(&event);
    let hears = program.status == Status::Enabled;
    if program.status == Status::Deleted {
        programs.remove(&id);
    }
    Ok(match event {
        Event::TestRequested if hears => vec![tell(id, &of(recorded, id))],
        Event::RedeliveryRequested { delivery_id, event_id, position } if hears => {
            vec![tell(id, &Body { delivery_id, event_id, position })]
        }
        Event::TestRequested
        | Event::RedeliveryRequested { .. }
        | Event::Registered { .. }
        | Event::Revised { .. }
        | Event::SecretRotated { .. }
        | Event::Disabled { .. }
        | Event::Enabled { .. }
        | Event::DeliveryDeadLettered { .. }
        | Event::FailingAnnounced { .. }
        | Event::Deleted => vec![],
    })
}

/// The event itself.
fn of(event: &Recorded, program: EndpointId) -> Body {
    let id = id_caused_by(Dispatch::NAME, &event.event_id.to_string(), &program.to_string());
    Body { delivery_id: DeliveryId(id), event_id: event.event_id, position: event.position }
}

fn tell(program: EndpointId, body: &Body) -> Effect {
    Effect::Start { kind: DELIVER, subject_id: program.to_string(), body: json!(body) }
}

#[cfg(test)]
mod tests {
    use events::UserId;
    use events::rbac::user_access::{self, UserAccess};
    use events::testing::id;
    use events::webhooks::endpoint::DisableReason;

    use super::*;
    use crate::testing::recorded;

    fn about(position: i64, number: u128, event: &Event) -> Recorded {
        let stream = id::<EndpointId>(number).0;
        at(position, recorded::<Endpoint>(stream, event))
    }

    fn at(position: i64, event: Recorded) -> Recorded {
        let event_id = id::<UserId>(u128::try_from(position).unwrap()).0;
        Recorded { position, event_id, ..event }
    }

    fn registered(wanted: &str) -> Event {
        Event::Registered {
            url: "https://hooks.acme.example/x".into(),
            events: vec![Wanted::read(wanted).unwrap()],
            description: None,
            owned_by: id(1),
            secret_id: id(7),
        }
    }

    fn assigned(position: i64) -> Recorded {
        let event = user_access::Event::RoleAssignmentExpired { role_id: id(3), unit_id: None };
        at(position, recorded::<UserAccess>(id::<UserId>(1).0, &event))
    }

    /// Which programs are told of which positions, as the events come.
    fn told(events: &[Recorded]) -> Vec<(String, i64)> {
        let (mut memory, mut told) = (None, Vec::new());
        for event in events {
            let turn = Dispatch::turn(memory, event).unwrap();
            memory = turn.memory;
            for effect in turn.effects {
                let Effect::Start { kind: DELIVER, subject_id, body } = effect else {
                    unreachable!("nothing else follows")
                };
                told.push((subject_id, body["position"].as_i64().unwrap()));
            }
        }
        told
    }

    #[test]
    fn a_program_hears_of_what_it_wants_from_when_it_was_registered_on() {
        let events = [
            assigned(1),
            about(2, 9, &registered("rbac.*")),
            about(3, 8, &registered("identity.*")),
            assigned(4),
            assigned(5),
        ];
        let nine = id::<EndpointId>(9).to_string();
        assert_eq!(told(&events), [(nine.clone(), 4), (nine, 5)]);
    }

    #[test]
    fn a_program_hears_of_nothing_while_it_is_disabled_and_once_it_is_deleted() {
        let off = Event::Disabled { reason: DisableReason::User };
        let events = [
            about(1, 9, &registered("*")),
            about(2, 9, &off),
            assigned(3),
            about(4, 9, &Event::TestRequested),
            about(5, 9, &Event::Enabled { owned_by: id(1) }),
            assigned(6),
            about(7, 9, &Event::Deleted),
            assigned(8),
        ];
        assert_eq!(told(&events), [(id::<EndpointId>(9).to_string(), 6)]);
    }

    #[test]
    fn a_program_hears_of_a_test_and_of_what_it_was_told_before_once_more() {
        let again = Event::RedeliveryRequested {
            delivery_id: id(20),
            event_id: id::<UserId>(1).0,
            position: 1,
        };
        let events = [
            about(2, 9, &registered("identity.*")),
            about(3, 9, &Event::TestRequested),
            about(4, 9, &again),
        ];
        let nine = id::<EndpointId>(9).to_string();
        assert_eq!(told(&events), [(nine.clone(), 3), (nine, 1)]);
    }

    #[test]
    fn deliveries_are_the_same_whenever_the_log_is_read_and_other_ones_for_other_programs() {
        let one = of(&assigned(4), id(9));
        assert_eq!(one, of(&assigned(4), id(9)));
        assert_ne!(one.delivery_id, of(&assigned(4), id(8)).delivery_id);
        assert_ne!(one.delivery_id, of(&assigned(5), id(9)).delivery_id);
    }

    #[test]
    fn an_organisation_without_programs_is_not_remembered() {
        let turn = Dispatch::turn(None, &assigned(1)).unwrap();
        assert_eq!(turn, Turn::on(None));
        let begun = Dispatch::turn(None, &about(2, 9, &registered("*"))).unwrap();
        assert!(begun.memory.is_some());
        let over = Dispatch::turn(begun.memory, &about(3, 9, &Event::Deleted)).unwrap();
        assert_eq!(over, Turn::on(None));
    }
}
