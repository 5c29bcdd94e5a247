//! One connection to NATS that comes back by itself, and the names that streams and subjects have on it.

use std::str::FromStr;
use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use crate::error::Error;

/// How long a request or an acknowledgement may take.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(3);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const RECONNECT_MAX: Duration = Duration::from_secs(1);
const RECONNECT_STEP: Duration = Duration::from_millis(50);
/// Answers that may be outstanding on one connection, over all its publishers.
const ACKS_IN_FLIGHT: usize = 4096;
const READ_BUFFER_BYTES: u16 = u16::MAX;

/// A connection; clones share it.
#[derive(Clone, Debug)]
pub struct Bus {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    link: watch::Receiver<Link>,
    space: Option<String>,
}

/// The connection as last heard of.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    /// How often it was made.
    made: u64,
    up: bool,
}

/// Opens the connection that `url` describes. It returns at once and keeps trying in the background, so that a process
/// starts and works without NATS; [`Bus::ready`] says whether anybody answers.
///
/// Credentials stand in the URL (`nats://user:password@host` or `nats://token@host`), several servers are separated by
/// commas. A path (`nats://host:4222/blue`) names a space of its own: streams and subjects of two spaces never meet.
pub async fn connect(url: &str) -> Result<Bus, Error> {
    let mut servers = Vec::new();
    let mut space = None;
    let mut options = ConnectOptions::new();
    for part in url.split(',').map(str::trim) {
        let mut address =
            ServerAddr::from_str(part).map_err(|error| Error::Url(error.to_string()))?.into_inner();
        let path = address.path().trim_matches('/').to_owned();
        if !path.is_empty() {
            if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
                return Err(Error::Url("its path may have letters, digits, - and _ only".into()));
            }
            space = Some(path);
        }
        let user = decoded(address.username())?;
        if let Some(password) = address.password() {
            options = options.user_and_password(user, decoded(password)?);
        } else if !user.is_empty() {
            options = options.token(user);
        }
        address.set_path("");
        servers.push(ServerAddr::from_url(address).map_err(|error| Error::Url(error.to_string()))?);
    }
    let (heard, link) = watch::channel(Link::default());
    let client = options
        .name("annals")
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .connection_timeout(CONNECT_LIMIT)
        .request_timeout(Some(ANSWER_LIMIT))
        .read_buffer_capacity(READ_BUFFER_BYTES)
        .event_callback(move |event| {
            note(&event, &heard);
            std::future::ready(())
        })
        .connect(&servers[..])
        .await
        .map_err(|error| Error::Url(error.to_string()))?;
    let jetstream = ContextBuilder::new()
        .timeout(ANSWER_LIMIT)
        .ack_timeout(ANSWER_LIMIT)
        .max_ack_inflight(ACKS_IN_FLIGHT)
        .build(client.clone());
    Ok(Bus { client, jetstream, link, space })
}

impl Bus {
    /// Whether the connection stands at this moment.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().up
    }

    /// Whether a server with `JetStream` answers within `limit`.
    pub async fn ready(&self, limit: Duration) -> Result<(), Error> {
        let asked = async {
            self.client.flush().await.map_err(Error::unavailable)?;
            // Read loosely: servers before 2.10 answer with fewer members than the client library expects.
            let answer: serde_json::Value =
                self.jetstream.request("INFO", &()).await.map_err(|error| {
                    Error::Unavailable(format!("it has no JetStream, start it with -js ({error})"))
                })?;
            match answer.get("error").and_then(|error| error.get("description")) {
                Some(reason) => Err(Error::Refused(reason.to_string())),
                None => Ok(()),
            }
        };
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Unavailable("no connection".into())),
        }
    }

    /// Waits at most `limit` for the connection to stand; whether it does.
    pub async fn connected_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.until(|link| link.up)).await.is_ok()
    }

    /// Returns when the connection numbered `generation` is no more.
    pub(crate) async fn lost(&self, generation: u64) {
        self.until(|link| !link.up || link.made != generation).await;
    }

    /// How often the connection was made; whoever ensured a stream under another number does it again.
    pub(crate) fn generation(&self) -> u64 {
        self.link.borrow().made
    }

    async fn until(&self, reached: impl FnMut(&Link) -> bool) {
        let mut link = self.link.clone();
        if link.wait_for(reached).await.is_err() {
            std::future::pending::<()>().await; // the client is gone, and its callback with it
        }
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.client
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// The server's name of a stream.
    pub(crate) fn stream(&self, name: &str) -> String {
        match &self.space {
            Some(space) => format!("{name}_{space}"),
            None => name.to_owned(),
        }
    }

    /// A subject in this connection's space.
    pub(crate) fn subject(&self, rest: &str) -> String {
        match &self.space {
            Some(space) => format!("{space}.{rest}"),
            None => rest.to_owned(),
        }
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Error::Url("its credentials are not UTF-8".into()))
}

fn reconnect_delay(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    RECONNECT_STEP.saturating_mul(attempts).min(RECONNECT_MAX)
}

/// Says once per change of state what happened; retries in between are silent.
fn note(event: &Event, heard: &watch::Sender<Link>) {
    match event {
        Event::Connected => {
            heard.send_modify(|link| *link = Link { made: link.made + 1, up: true });
            tracing::info!("connected to NATS");
        }
        Event::Disconnected => {
            heard.send_modify(|link| link.up = false);
            tracing::warn!("lost the connection to NATS, trying again");
        }
        Event::SlowConsumer(_) => {
            tracing::debug!("dropped a message from NATS, it is read from the log");
        }
        Event::LameDuckMode | Event::Draining | Event::Closed => {
            tracing::info!(state = %event, "the connection to NATS changes state");
        }
        Event::ServerError(error) => tracing::warn!(%error, "NATS reports an error"),
        Event::ClientError(error) => tracing::debug!(%error, "the NATS client reports an error"),
    }
}
