//! Each process signs in to Postgres as itself, and whoever has its login can do what it may and no more.

use journeys::{House, Resident};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// Tables that only one process may read, and what nobody may do with the log.
const PRIVATE: &[(&str, &[Resident])] = &[
    ("select from secrets.secrets", &[Resident::CommandApi, Resident::Workers]),
    ("select private_key from secrets.signing_keys", &[Resident::CommandApi]),
    ("select from audit.trail", &[Resident::Projectors, Resident::QueryApi, Resident::Workers]),
    ("select from work.jobs", &[Resident::QueryApi, Resident::Workers]),
    ("delete from read.identity_users", &[Resident::Projectors]),
    ("delete from log.events", &[]),
    ("set role annals_owner", &[]),
    ("create table public.mine (number int)", &[]),
];

async fn may(house: &House, resident: Resident, statement: &str) -> bool {
    let url = house.database_url(resident).unwrap();
    let mut session = PgConnection::connect(&url).await.unwrap();
    session.execute("begin").await.unwrap();
    let outcome = session.execute(statement).await;
    session.close().await.unwrap();
    match outcome {
        Ok(_) => true,
        Err(sqlx::Error::Database(error)) => {
            assert_eq!(error.code().as_deref(), Some("42501"), "{resident:?} {statement}: {error}");
            false
        }
        Err(error) => panic!("{resident:?} {statement}: {error}"),
    }
}

#[tokio::test]
async fn a_stolen_login_opens_what_its_process_may_and_nothing_else() -> anyhow::Result<()> {
    let house = House::empty().await?;
    for (statement, allowed) in PRIVATE {
        for resident in Resident::FIVE {
            let may = may(&house, resident, statement).await;
            assert_eq!(may, allowed.contains(&resident), "{resident:?}: {statement}");
        }
    }
    let wrong = house.database_url(Resident::Relay)?.replace("annals_relay:", "annals_workers:x");
    assert!(PgConnection::connect(&wrong).await.is_err(), "a wrong password opens nothing");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_process_with_the_login_of_another_is_refused_with_the_remedy() -> anyhow::Result<()> {
    let house = House::empty().await?;
    let url = house.database_url(Resident::Relay)?;
    let output = house.annals_with(&["serve", "projectors"], &[("DATABASE_URL", &url)])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = "annals_relay, the login of DATABASE_URL, may not work as projectors";
    assert!(said.contains(expected) && said.contains("annals migrate up"), "{said}");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_password_is_replaced_by_migrating_again_and_a_weak_one_is_refused() -> anyhow::Result<()>
{
    let house = House::empty().await?;
    let weak = house.annals_with(&["migrate", "up"], &[("RELAY_PASSWORD", "short")])?;
    let said = String::from_utf8_lossy(&weak.stderr);
    assert!(said.contains("annals_relay must be 16 or more printable ASCII"), "{said}");

    let fresh = "a-fresh-password-'of-the-relay";
    let done = house.annals_with(&["migrate", "up"], &[("RELAY_PASSWORD", fresh)])?;
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("1 process(es) may sign in"), "{said}");
    let before = house.database_url(Resident::Relay)?;
    assert!(PgConnection::connect(&before).await.is_err(), "the password before is dead");
    let options: sqlx::postgres::PgConnectOptions = before.parse()?;
    PgConnection::connect_with(&options.password(fresh)).await?.close().await?;
    PgConnection::connect(&house.database_url(Resident::Workers)?).await?.close().await?;
    house.stop().await;
    Ok(())
}
