//! Letters on their way to a real SMTP server: one that is away, one that refuses, and none at all.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use events::identity::invitation::{Event as InvitationEvent, Invitation};
use events::identity::organization::{Event as OrganizationEvent, Organization};
use events::identity::user::{Event as UserEvent, User};
use events::testing::id;
use events::{InvitationId, TenantId, UserId};
use jiff::SignedDuration;
use platform::bearer::INVITATION;
use platform::clock;
use platform::lifecycle::Shutdown;
use platform::secrets::fingerprint;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::runtime::admin::{self, Listed};
use crate::runtime::{Office, run_with};
use crate::testing::Log;

const PATIENCE: Duration = Duration::from_secs(20);

use super::*;

/// A mail server of the test's own; it ends with the test.
struct Server(Child);

impl Server {
    fn start(port: u16, folder: &Path, more: &[&str]) -> Self {
        let child = Command::new("aiosmtpd")
            .args(["--nosetuid", "--class", "aiosmtpd.handlers.Mailbox"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(more)
            .arg(folder.join("mailbox"))
            .stdin(Stdio::null())
            .spawn()
            .expect("aiosmtpd is installed; `cargo xtask test` installs it");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_gone = self.0.wait();
    }
}

/// An organisation that invites people, and workers over its log.
struct House {
    log: Log,
    office: Office,
    port: u16,
    folder: TempDir,
    shutdown: Shutdown,
}

impl House {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's process")]
    async fn start(with_server: bool) -> Self {
        let (log, folder) = (Log::new().await, tempfile::tempdir().unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut settings = Settings::clone(&*log.database.settings(folder.path()).unwrap());
        if with_server {
            settings.smtp_url = format!("smtp://127.0.0.1:{port}");
            settings.mail_from = "annals@house.test".into();
        }
        let office = Office::open(&settings).await.unwrap();
        let workers = Office::open(&settings).await.unwrap();
        let shutdown = Shutdown::new();
        tokio::spawn(run_with(workers, None, vec![crate::identity::jobs()], shutdown.clone()));
        let house = Self { log, office, port, folder, shutdown };
        house.found().await;
        house
    }

    async fn found(&self) {
        let tenant = id::<TenantId>(1);
        let created = OrganizationEvent::Created {
            name: "Acme".into(),
            slug: "acme".into(),
            time_zone: "UTC".into(),
            locale: "en".into(),
            currency: "EUR".into(),
        };
        self.log.append::<Organization>(tenant, tenant, &[created]).await;
        let registered = UserEvent::Registered {
            handle: "ada".into(),
            display_name: "Ada".into(),
            email: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
        };
        self.log.append::<User>(tenant, id::<UserId>(2), &[registered]).await;
    }

    fn sha256(&self, number: u128, sending: i64) -> String {
        fingerprint(&INVITATION.make(
            &self.office.master,
            id(1),
            id::<InvitationId>(number).0,
            sending,
        ))
    }

    async fn invite(&self, number: u128) {
        let issued = InvitationEvent::Issued {
            email: format!("guest{number}@acme.test"),
            roles: Vec::new(),
            message: None,
            invited_by: id(2),
            token_sha256: self.sha256(number, 1),
            expires_at: clock::now() + SignedDuration::from_hours(1),
        };
        self.log.append::<Invitation>(id(1), id::<InvitationId>(number), &[issued]).await;
    }

    /// The only job, once it is as it should be; what waits for its next attempt is made due at once.
    async fn until(&self, good: impl Fn(&Listed) -> bool) -> Listed {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let jobs = admin::list(&self.office.pool, &[], 10).await.unwrap();
            if let [job] = jobs.as_slice()
                && good(job)
            {
                return job.clone();
            }
            assert!(Instant::now() < deadline, "{jobs:?}");
            let due = "update work.jobs set run_at = now() where state = 'queued'";
            sqlx::query(due).execute(&self.office.pool).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the server took, without the line ends of its encoding.
    fn mail(&self) -> Vec<String> {
        let new = std::fs::read_dir(self.folder.path().join("mailbox/new"));
        let files = new.into_iter().flatten().flatten();
        let text = files.map(|file| std::fs::read_to_string(file.path()).unwrap());
        text.map(|text| text.replace("=\n", "").replace("=3D", "=")).collect()
    }
}

#[tokio::test]
async fn a_letter_waits_for_a_server_that_is_away_and_is_sent_once() {
    let house = House::start(true).await;
    house.invite(7).await;
    let waiting = house.until(|job| job.error.is_some()).await;
    assert!(["queued", "running"].contains(&waiting.state.as_str()), "{waiting:?}");
    let _server = Server::start(house.port, house.folder.path(), &[]);
    let sent = house.until(|job| job.state == "succeeded").await;
    let mail = house.mail();
    assert_eq!(mail.len(), 1, "{mail:?}");
    let token = INVITATION.make(&house.office.master, id(1), id::<InvitationId>(7).0, 1);
    for part in ["To: guest7@acme.test", "Ada invites you to Acme", &token] {
        assert!(mail[0].contains(part), "{part}: {}", mail[0]);
    }
    assert!(!format!("{sent:?}").contains(&token));
    house.shutdown.begin();
}

#[tokio::test]
async fn a_letter_that_was_sent_is_not_sent_in_another_life_of_its_job_or_of_the_log() {
    let house = House::start(true).await;
    let _server = Server::start(house.port, house.folder.path(), &[]);
    house.invite(7).await;
    house.until(|job| job.state == "succeeded").await;
    let pool = &house.office.pool;
    let again = "update work.jobs set state = 'queued', attempt = 0, run_at = now()";
    sqlx::query(again).execute(pool).await.unwrap();
    house.until(|job| job.state == "succeeded").await;
    let noted: Vec<(String, Option<String>)> =
        sqlx::query_as("select state, answer from work.effects").fetch_all(pool).await.unwrap();
    assert_eq!(noted, [("done".into(), Some("250".into()))]);
    assert_eq!(house.mail().len(), 1);

    let owner = house.log.owner().await;
    for statement in [
        "delete from work.jobs",
        "insert into work.restored (position) select position + 1 from log.head",
    ] {
        sqlx::query(statement).execute(&owner).await.unwrap();
    }
    house.invite(8).await; // in the life before the backup
    house.until(|job| job.state == "succeeded").await;
    house.invite(9).await;
    let deadline = Instant::now() + PATIENCE;
    while house.mail().len() < 2 {
        assert!(Instant::now() < deadline, "{:?}", house.mail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!house.mail().iter().any(|letter| letter.contains("To: guest8@")));
    house.shutdown.begin();
}

#[tokio::test]
async fn a_letter_that_the_server_refuses_has_failed_and_is_listed_with_its_answer() {
    let house = House::start(true).await;
    let _server = Server::start(house.port, house.folder.path(), &["--size", "100"]);
    house.invite(7).await;
    let failed = house.until(|job| job.state == "failed").await;
    assert!(failed.error.as_ref().unwrap().contains("552"), "{failed:?}");
    assert_eq!(house.mail(), Vec::<String>::new());
    house.shutdown.begin();
}

#[tokio::test]
async fn without_a_server_the_dead_letter_says_what_to_configure() {
    let house = House::start(false).await;
    house.invite(7).await;
    let dead = house.until(|job| job.state == "dead").await;
    assert!(dead.error.as_ref().unwrap().contains("SMTP_URL") && dead.attempt == 1, "{dead:?}");
    house.shutdown.begin();
}

#[tokio::test]
async fn an_invitation_that_was_sent_again_or_revoked_is_not_sent_as_it_was() {
    let house = House::start(true).await;
    house.invite(7).await;
    house.until(|job| job.error.is_some()).await;
    let email = "guest7@acme.test".to_owned();
    let revoked = InvitationEvent::Revoked { email };
    house.log.append::<Invitation>(id(1), id::<InvitationId>(7), &[revoked]).await;
    house.until(|job| job.state == "cancelled").await;
    house.shutdown.begin();
}
