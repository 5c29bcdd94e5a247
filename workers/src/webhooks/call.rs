//! One call to a program elsewhere: an address that was judged, within a time, and of the answer its status and hardly more.

use std::error::Error as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use platform::clock;
use platform::config::Settings;
use platform::reachable::Guarded;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};

/// How long it may take until a program is connected to.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long the whole call may take.
const TOTAL_LIMIT: Duration = Duration::from_secs(15);
/// So much of an answer is read, so that the connection can be used again; nothing is made of it.
const ANSWER_MOST_BYTES: usize = 64 * 1024;
/// How much is kept of what went wrong.
const ERROR_MOST_CHARS: usize = 200;
/// Nobody asks for more patience than this.
const RETRY_AFTER_MOST: Duration = Duration::from_hours(24);

/// What calls programs elsewhere.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
    guarded: Guarded,
}

/// What a program is told.
pub(super) struct Message {
    /// The event's id, by which who gets it twice knows it.
    pub(super) id: String,
    /// When it is sent, in seconds since 1970.
    pub(super) timestamp: i64,
    pub(super) signature: String,
    /// For each secret one.
    pub(super) digests: Vec<String>,
    pub(super) body: String,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The status of the answer, if one came.
    pub(super) status: Option<u16>,
    /// What went wrong where none came.
    pub(super) error: Option<String>,
    /// How long the program wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) took: Duration,
}

impl Attempt {
    /// Whether the program took it.
    pub(super) fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// In a few words.
    pub(super) fn told(&self) -> String {
        match (self.status, &self.error) {
            (Some(status), _) => format!("the answer is {status}"),
            (None, Some(error)) => error.clone(),
            (None, None) => "there was no answer".to_owned(),
        }
    }
}

impl Caller {
    /// Calls nobody yet.
    pub(crate) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let guarded = Guarded { loopback: settings.loopback_webhooks };
        Ok(Self { client: guarded.client(CONNECT_LIMIT, TOTAL_LIMIT)?, guarded })
    }

    /// Tells one program; whatever goes wrong is what came of it.
    pub(super) async fn post(&self, url: &str, message: &Message) -> Attempt {
        let began = Instant::now();
        let answered = self.send(url, message).await;
        let took = began.elapsed();
        match answered {
            Ok(response) => {
                let status = Some(response.status().as_u16());
                let retry_after = retry_after(response.headers(), clock::now());
                drain(response).await;
                Attempt { status, error: None, retry_after, took }
            }
            Err(error) => {
                let error = Some(error.chars().take(ERROR_MOST_CHARS).collect());
                Attempt { status: None, error, retry_after: None, took }
            }
        }
    }

    async fn send(&self, url: &str, message: &Message) -> Result<Response, String> {
        let url = self.guarded.url(url).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
        let own = [
            ("webhook-id", message.id.clone()),
            ("webhook-timestamp", message.timestamp.to_string()),
            ("webhook-signature", message.signature.clone()),
        ];
        for (name, value) in own {
            let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            headers.insert(name, value);
        }
        for digest in &message.digests {
            let value = HeaderValue::from_str(digest).map_err(|error| error.to_string())?;
            headers.append("x-signature-256", value);
        }
        let sent = self.client.post(url).headers(headers).body(message.body.clone()).send().await;
        sent.map_err(|error| reason(&error.without_url()))
    }
}

/// The innermost reason, which says most.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the program did not answer in time".to_owned();
    }
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    if error.source().is_some() { format!("{error}: {reason}") } else { error.to_string() }
}

/// Reads what is left of an answer, a little.
async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_MOST_BYTES {
            return;
        }
    }
}

/// For how long a program wants to be left alone (RFC 9110, 10.2.3): seconds, or a moment.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wanted = if let Ok(seconds) = said.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = rfc2822::parse(said).ok()?.timestamp();
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    };
    Some(wanted.min(RETRY_AFTER_MOST))
}

#[cfg(test)]
mod tests {
    use platform::testkit::door::server;
    use serde_json::json;

    use super::*;

    fn message() -> Message {
        Message {
            id: "e1".into(),
            timestamp: 7,
            signature: "v1,a v1,b".into(),
            digests: vec!["sha256=a".into(), "sha256=b".into()],
            body: "{}".into(),
        }
    }

    fn caller(loopback: bool) -> Caller {
        Caller::open(&Settings { loopback_webhooks: loopback, ..Settings::default() }).unwrap()
    }

    #[tokio::test]
    async fn a_program_is_told_by_one_post_with_its_headers_and_a_redirect_is_not_followed() {
        let (url, asked) = server(vec![(204, json!({})), (302, json!({})), (410, json!({}))]).await;
        let caller = caller(true);
        let taken = caller.post(&format!("{url}/hook?x=1"), &message()).await;
        assert!(taken.is_taken(), "{taken:?}");
        for status in [302, 410] {
            let not = caller.post(&url, &message()).await;
            assert_eq!((not.status, not.is_taken()), (Some(status), false));
        }
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 3, "{asked:?}");
        for line in [
            "POST /hook?x=1 HTTP/1.1\r\n",
            "content-type: application/cloudevents+json\r\n",
            "webhook-id: e1\r\n",
            "webhook-timestamp: 7\r\n",
            "webhook-signature: v1,a v1,b\r\n",
            "x-signature-256: sha256=a\r\n",
            "x-signature-256: sha256=b\r\n",
        ] {
            assert!(asked[0].contains(line), "{line}: {}", asked[0]);
        }
    }

    #[tokio::test]
    async fn nobody_in_our_own_network_is_called() {
        let (url, asked) = server(vec![(200, json!({}))]).await;
        let port = url.rsplit(':').next().unwrap();
        for url in [
            url.clone(),
            format!("https://127.0.0.1:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://2130706433:{port}/"),
        ] {
            let attempt = caller(false).post(&url, &message()).await;
            assert!(attempt.status.is_none() && attempt.error.is_some(), "{url}: {attempt:?}");
        }
        assert_eq!(asked.lock().unwrap().len(), 0);
        let attempt = caller(true).post("https://10.0.0.1/", &message()).await;
        assert_eq!(attempt.error.as_deref(), Some("the address is not public"));
    }

    #[test]
    fn patience_is_asked_for_in_seconds_or_by_a_moment_and_within_reason() {
        let now = events::testing::at("2015-10-21T07:27:00Z");
        let asked = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            retry_after(&headers, now).map(|wanted| wanted.as_secs())
        };
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(60));
        assert_eq!(asked("Wed, 21 Oct 2015 07:26:00 GMT"), Some(0));
        assert_eq!(asked("999999999"), Some(RETRY_AFTER_MOST.as_secs()));
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
