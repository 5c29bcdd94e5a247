//! What the schema must be for one organisation never to see another, and who may do what in it.

mod gate;
mod grants;

use platform::testkit::TestDatabase;
use sqlx::{Connection as _, PgConnection};

/// A migrated database and a session of whoever migrated it.
async fn database() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::create(&migrations::MIGRATOR).await.unwrap();
    let session = PgConnection::connect(&database.url).await.unwrap();
    (database, session)
}
