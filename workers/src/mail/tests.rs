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
use platform::commands::Cause;
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

/// A server that answers messages as it is told, one after the other, before it takes them.
const MOODY: &str = "
import asyncio
from aiosmtpd.handlers import Mailbox

class Moody(Mailbox):
    @classmethod
    def from_cli(cls, parser, folder, *answers):
        handler = cls(folder)
        handler.answers = list(answers)
        return handler

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.pop(0) if self.answers else 'take'
        if answer.startswith('take'):
            taken = await super().handle_DATA(server, session, envelope)
        if answer == 'take':
            return taken
        if answer == 'say nothing':
            await asyncio.sleep(3600)
        if answer.endswith('hang up'):
            server.transport.abort()
            return '421 gone'
        return answer
";

impl Server {
    fn start(port: u16, folder: &Path, more: &[&str]) -> Self {
        Self::of("aiosmtpd.handlers.Mailbox", port, folder, (more, &[]))
    }

    fn moody(port: u16, folder: &Path, answers: &[&str]) -> Self {
        std::fs::write(folder.join("moody.py"), MOODY).unwrap();
        Self::of("moody.Moody", port, folder, (&[], answers))
    }

    fn of(class: &str, port: u16, folder: &Path, (before, after): (&[&str], &[&str])) -> Self {
        let child = Command::new("aiosmtpd")
            .args(["--nosetuid", "--class", class])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(before)
            .arg(folder.join("mailbox"))
            .args(after)
            .env("PYTHONPATH", folder)
            .stdin(Stdio::null())
            .spawn()
            .expect("aiosmtpd is installed; `cargo xtask test` installs it");
        let server = Self(child);
        let end = std::time::Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < end, "aiosmtpd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
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
    async fn start(with_server: bool) -> Self {
        Self::start_for(with_server, TOTAL_LIMIT).await
    }

    /// Whose workers converse with the server for so long.
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's process")]
    async fn start_for(with_server: bool, limit: Duration) -> Self {
        let (log, folder) = (Log::new().await, tempfile::tempdir().unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut settings = Settings::clone(&*log.database.settings(folder.path()).unwrap());
        if with_server {
            settings.smtp_url = format!("smtp://127.0.0.1:{port}");
            settings.mail_from = "annals@house.test".into();
        }
        let office = Office::open(&settings).await.unwrap();
        let mut workers = Office::open(&settings).await.unwrap();
        workers.mailer = Mailer::open_for(&settings, limit).unwrap();
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
async fn what_the_server_cannot_do_now_is_tried_again_until_it_takes_the_letter_once() {
    for answer in [
        "451 4.3.0 try later",
        "421 4.3.2 closing",
        "530 5.7.0 sign in first",
        "hang up",
        "say nothing",
    ] {
        let house = House::start_for(true, Duration::from_secs(1)).await;
        let _server = Server::moody(house.port, house.folder.path(), &[answer, answer]);
        house.invite(7).await;
        let told = house.until(|job| job.error.is_some()).await;
        let sent = house.until(|job| job.state == "succeeded").await;
        assert!(sent.attempt >= 3, "{answer}: {sent:?}");
        let said = answer.split(' ').next().filter(|code| code.parse::<u16>().is_ok());
        let error = told.error.unwrap();
        assert!(error.contains("the e-mail server did not"), "{answer}: {error}");
        assert!(said.is_none_or(|code| error.contains(code)), "{answer}: {error}");
        assert_eq!(house.mail().len(), 1, "{answer}");
        house.shutdown.begin();
    }
}

#[tokio::test]
async fn a_letter_whose_taking_was_not_heard_of_comes_again_and_is_known_by_its_id() {
    let house = House::start(true).await;
    let _server = Server::moody(house.port, house.folder.path(), &["take and hang up"]);
    house.invite(7).await;
    house.until(|job| job.state == "succeeded").await;
    let mail = house.mail();
    let ids: Vec<_> = mail
        .iter()
        .map(|letter| letter.lines().find(|line| line.starts_with("Message-ID: <")))
        .collect();
    assert!(matches!(ids[..], [Some(one), Some(other)] if one == other), "{ids:?}");
    house.shutdown.begin();
}

#[tokio::test]
async fn an_address_that_the_server_does_not_know_is_not_written_to_again() {
    let house = House::start(true).await;
    let _server =
        Server::moody(house.port, house.folder.path(), &["550 5.1.1 nobody of that name"]);
    house.invite(7).await;
    let failed = house.until(|job| job.state == "failed").await;
    let error = failed.error.unwrap();
    assert!(error.contains("550") && error.contains("nobody of that name"), "{error}");
    assert_eq!((failed.attempt, house.mail().len()), (1, 0));
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

/// What Python's standard library, which is not ours, reads in a message.
fn read_by_python(message: &Path) -> serde_json::Value {
    const READER: &str = "
import email, email.policy, json, sys
raw = open(sys.argv[1], 'rb').read()
message = email.message_from_bytes(raw, policy=email.policy.default)
print(json.dumps({
    'headers': {name: str(value) for name, value in message.items()},
    'kinds': [part.get_content_type() for part in message.walk()],
    'text': message.get_body(('plain',)).get_content(),
    'html': message.get_body(('html',)).get_content(),
    'defects': [repr(it) for part in message.walk() for it in part.defects],
    'date': message['date'].datetime.isoformat(),
    'longest': max(len(line) for line in raw.splitlines()),
    'longest_of_body': max(len(line) for line in raw.split(b'\\n\\n', 1)[1].splitlines()),
    'ascii': raw.isascii(),
}))";
    let output = Command::new("python3").args(["-c", READER]).arg(message).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_letter_is_read_by_others_as_it_was_written() {
    let house = House::start(true).await;
    let _server = Server::start(house.port, house.folder.path(), &[]);
    let reply_to = Some("help@house.test".parse().unwrap());
    let way = house.office.mailer.way.clone().map(|way| Way { reply_to, ..way });
    let office = Office { mailer: Mailer { way }, ..house.office.clone() };
    let job = Job {
        id: id(7),
        tenant_id: id(1),
        subject_id: String::new(),
        body: serde_json::json!({}),
        cause: Cause::default(),
        attempt: 1,
        max_attempts: 1,
        error: None,
    };
    let long = "Übergrößenträger ".repeat(40);
    let url = format!("http://127.0.0.1:7401/unsubscribe?token={}", "t".repeat(150));
    let letter = Letter {
        to: "ada@acme.test".into(),
        subject: format!("Grüße aus Köln – {}", "sehr ".repeat(30)),
        paragraphs: vec!["Zwei\nZeilen, .\n.\nEnde".into(), long.clone()],
        action: Some(("Öffnen", "http://annals.test/a?b=1&c=2".into())),
        unsubscribe: Some(url.clone()),
    };
    let taken = async { while office.send(&job, &letter).await.is_err() {} };
    tokio::time::timeout(PATIENCE, taken).await.expect("the server takes it");
    let file = std::fs::read_dir(house.folder.path().join("mailbox/new")).unwrap().next();
    let read = read_by_python(&file.unwrap().unwrap().path());
    let headers = &read["headers"];
    assert_eq!(
        read["kinds"],
        serde_json::json!(["multipart/alternative", "text/plain", "text/html"])
    );
    assert_eq!(read["defects"], serde_json::json!([]));
    assert_eq!(headers["Subject"].as_str().unwrap().trim(), letter.subject.trim());
    assert_eq!(headers["Reply-To"], "help@house.test");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert_eq!(headers["List-Unsubscribe"], format!("<{url}>"));
    assert_eq!(headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    assert_eq!(headers["Message-ID"], format!("<{}@house.test>", job.key("mail")));
    let sent: jiff::Timestamp = read["date"].as_str().unwrap().parse().unwrap();
    assert!(clock::now().duration_since(sent).abs() < SignedDuration::from_mins(1), "{sent}");
    let text = read["text"].as_str().unwrap();
    for part in ["Zwei\nZeilen, .\n.\nEnde", long.trim(), "http://annals.test/a?b=1&c=2", &url] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let html = read["html"].as_str().unwrap();
    assert!(html.contains("a?b=1&amp;c=2\"") && html.contains("Öffnen"), "{html}");
    assert!(read["longest"].as_u64().unwrap() <= 998 && read["ascii"] == true, "RFC 5322: {read}");
    assert!(read["longest_of_body"].as_u64().unwrap() <= 76, "RFC 2045: {read}");
    house.shutdown.begin();
}
