//! A read model for tests: how many messages each user got. It fails, or makes rows that Postgres refuses, on demand.

use std::sync::atomic::{AtomicBool, Ordering};

use events::notifications::notification::{Event, Kind, Notification, Priority};
use events::testing::id;
use events::{Decider as _, NotificationId, TenantId, UserId};
use projectors::model::{Column, Fact, FoldError, ReadModel, Rows, Sql, Table, column};
use projectors::runtime::projection::Keyed;
use serde::{Deserialize, Serialize};

use crate::support::{Place, Projections};

/// While set, a message titled `poison` cannot be folded; one titled `deadly` never can.
pub(crate) static POISONOUS: AtomicBool = AtomicBool::new(true);

/// The read model in its build `B`.
pub(crate) struct Tallies<const B: i32>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    tenant_id: TenantId,
    user_id: UserId,
    messages: i64,
    titles: Vec<String>,
    build: i32,
}

const COLUMNS: &[Column] = &[
    column("tenant_id", Sql::Uuid),
    column("user_id", Sql::Uuid),
    column("messages", Sql::Bigint),
    column("titles", Sql::Jsonb),
    column("build", Sql::Integer),
];

impl<const B: i32> ReadModel for Tallies<B> {
    const TABLE: Table = Table {
        name: "test_tallies",
        schema: "read",
        table: "test_tallies",
        key: &["tenant_id", "user_id"],
        group: "user_id",
        resource: ("test.tally", "user_id"),
        columns: COLUMNS,
        reads: &[Notification::TYPE],
    };
    const BUILD: i32 = B;
    type Row = Tally;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(match fact.of::<Notification>()? {
            Some(Event::Created { user_id, .. }) => Some(user_id.to_string()),
            Some(Event::Read | Event::Deleted | Event::Expired) | None => None,
        })
    }

    fn fold(rows: &mut Rows<Tally>, fact: &Fact) -> Result<(), FoldError> {
        let Some(Event::Created { user_id, title, .. }) = fact.of::<Notification>()? else {
            return Ok(());
        };
        if rows.only().is_none() {
            let (tenant_id, user_id) = (fact.tenant(), *user_id);
            rows.insert(Tally { tenant_id, user_id, messages: 0, titles: Vec::new(), build: B });
        }
        if let Some(tally) = rows.only() {
            tally.messages += 1;
            tally.titles.push(title.clone());
        }
        if title == "deadly" || title == "poison" && POISONOUS.load(Ordering::SeqCst) {
            return Err(FoldError("it is poison".into()));
        }
        Ok(())
    }
}

/// The projection in its build `B`.
pub(crate) fn projection<const B: i32>() -> Projections {
    vec![Keyed::<Tallies<B>>::boxed().into()]
}

/// Makes its table. No user's messages may be titled `refused`.
pub(crate) async fn create_table(place: &Place) {
    place
        .run(
            "set role annals_owner;
             create table read.test_tallies (
               tenant_id uuid not null, user_id uuid not null, messages bigint not null, titles jsonb not null,
               build integer not null, primary key (tenant_id, user_id),
               constraint not_refused check (not titles ? 'refused'));
             create index test_tallies_messages_idx on read.test_tallies (tenant_id, messages);
             select read.protect('read.test_tallies');
             reset role",
        )
        .await;
}

/// A message to a user.
pub(crate) async fn tell(place: &Place, tenant: TenantId, user: u128, title: &str) -> i64 {
    let event = Event::Created {
        user_id: id(user),
        kind: Kind::Message,
        title: title.into(),
        message: String::new(),
        link: None,
        priority: Priority::Normal,
        dedupe_key: None,
    };
    let stream: NotificationId = platform::clock::new_id();
    place.append::<Notification>(tenant, stream, [event]).await
}
