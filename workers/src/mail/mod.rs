//! E-mail: letters handed to the installation's SMTP server, and what its answers mean for the job that sends one.
//!
//! A server that is away or says "later" is asked again; what it refuses is not sent again, and what it took neither, however
//! often the event that caused it is looked at. Between its taking the message and our noting it a crash can send the same
//! message twice: with the same `Message-ID`, by which who gets it knows.

mod letter;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use events::settings::Key;
use lettre::address::Address;
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport as _, Tokio1Executor};
use platform::config::Settings;

use crate::runtime::{Done, Intent, Job, Office, Trouble, Went};

use letter::Ends;
pub(crate) use letter::Letter;

/// How long the server may take until it is connected to.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long the whole conversation may take.
const TOTAL_LIMIT: Duration = Duration::from_mins(1);
/// What is noted of a letter, and the step of its job.
const MAIL: &str = "mail";
/// Answers that refuse us and not the message (RFC 4954): what helps is another `SMTP_URL`.
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

/// The way to the server, if there is one.
#[derive(Clone)]
pub(crate) struct Mailer {
    way: Option<Way>,
}

#[derive(Clone)]
struct Way {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    /// Where answers go, if elsewhere.
    reply_to: Option<Address>,
    /// How long a conversation may take.
    limit: Duration,
    /// The server is only asked whether it is there.
    dry: bool,
}

impl Mailer {
    /// Reads where mail goes; connects when there is some.
    pub(crate) fn open(settings: &Settings) -> anyhow::Result<Self> {
        Self::open_for(settings, TOTAL_LIMIT)
    }

    /// The same, where the whole conversation may take so long.
    fn open_for(settings: &Settings, limit: Duration) -> anyhow::Result<Self> {
        if settings.smtp_url.is_empty() || settings.mail_from.is_empty() {
            return Ok(Self { way: None });
        }
        // The reason is left out: it may show the password.
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.smtp_url).map_err(|_| {
                anyhow!("SMTP_URL is not valid; write it like smtps://user:password@host")
            })?;
        let from = settings.mail_from.parse().context("MAIL_FROM is no e-mail address")?;
        let reply_to = match settings.mail_reply_to.as_str() {
            "" => None,
            address => Some(address.parse().context("MAIL_REPLY_TO is no e-mail address")?),
        };
        let transport = builder.timeout(Some(CONNECT_LIMIT)).build();
        Ok(Self { way: Some(Way { transport, from, reply_to, limit, dry: false }) })
    }

    /// Whether there is a server to hand letters to.
    pub(crate) fn is_there(&self) -> bool {
        self.way.is_some()
    }

    /// The same way, on which nothing is sent.
    pub(crate) fn dry(&self) -> Self {
        Self { way: self.way.clone().map(|way| Way { dry: true, ..way }) }
    }
}

impl Office {
    /// Sends a letter in the name that the organisation chose.
    pub(crate) async fn send(&self, job: &Job, letter: &Letter) -> Result<Done, Trouble> {
        let Some(Way { transport, from, reply_to, limit, dry }) = &self.mailer.way else {
            let missing = "no e-mail can be sent: give the workers SMTP_URL and MAIL_FROM, then `annals dlq retry`";
            return Ok(Done::Stuck(missing.into()));
        };
        let sender = self.setting(job.tenant_id, Key::NotificationsMailSender).await?;
        let sender = sender.text().unwrap_or("Annals");
        let ends = Ends { sender, from, reply_to: reply_to.as_ref() };
        let message = match letter.message(job.key(MAIL), &ends) {
            Ok(message) => message,
            Err(error) => return Ok(Done::Failed(format!("{error:#}"))),
        };
        if *dry {
            let ready = transport.test_connection();
            return match tokio::time::timeout(*limit, ready).await {
                Ok(Ok(true)) => Ok(Done::Finished),
                Ok(Ok(false)) => Err(anyhow!("the e-mail server is not ready").into()),
                Ok(Err(error)) => after(error),
                Err(_) => Err(late()),
            };
        }
        if self.intend(job, MAIL, MAIL).await? == Intent::Gone {
            return Ok(Done::Finished);
        }
        match tokio::time::timeout(*limit, transport.send(message)).await {
            Ok(Ok(answer)) => {
                let code = answer.code().to_string();
                self.went(job, MAIL, (Went::Done, &code)).await?;
                Ok(Done::Finished)
            }
            Ok(Err(error)) => {
                let code = error.status().map(|code| code.to_string()).unwrap_or_default();
                let done = after(error)?;
                self.went(job, MAIL, (Went::Refused, &code)).await?;
                Ok(done)
            }
            Err(_) => Err(late()),
        }
    }
}

fn late() -> Trouble {
    anyhow!("the e-mail server did not answer in time").into()
}

/// What an error means for the job.
fn after(error: Error) -> Result<Done, Trouble> {
    let about_us = error.status().is_some_and(|code| ABOUT_US.contains(&code.into()));
    if error.is_permanent() && !about_us {
        return Ok(Done::Failed(format!("the e-mail server refused the message: {error}")));
    }
    Err(Trouble(anyhow::Error::new(error).context("the e-mail server did not take the message")))
}
