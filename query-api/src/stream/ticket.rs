//! Tickets for browsers, which cannot send a token with a WebSocket's upgrade: good once, for half a minute, for one session on
//! pages of one origin. What a ticket says is signed; that it was used is remembered here and, for other processes, in Redis.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::{Actor, ActorKind, Module, SessionId, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use platform::clock;
use platform::limits::Quota;
use platform::principal::Principal;
use platform::problem::Problem;
use platform::redis::Redis;
use platform::routes::Route;
use platform::secrets::{hmac, random};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::answer::plain;
use crate::call::Call;
use crate::endpoint::Endpoint;

/// How a ticket begins, whatever it is used as.
pub(super) const PREFIX: &str = "tk_";
/// How the value of `Sec-WebSocket-Protocol` that carries a ticket begins.
const SUBPROTOCOL: &str = "ticket.";
const LIFE_SECONDS: i64 = 30;
/// A used ticket is remembered for longer than any can live.
const REMEMBERED: Duration = Duration::from_mins(1);
const REMEMBERED_MOST: u64 = 100_000;
const MAC_BYTES: usize = 32;
const QUOTA: Quota = Quota { name: "stream-tickets", most: 600, seconds: 60 };

/// What a ticket says.
#[derive(Serialize, Deserialize)]
struct Content {
    nonce: [u8; 16],
    tenant: TenantId,
    user: UserId,
    session: Option<SessionId>,
    /// The origin of the page that asked; none where no browser asked.
    origin: Option<String>,
    /// Until when it can be used, in milliseconds since 1970.
    until: i64,
    /// Until when the token holds that it was given for, in seconds since 1970.
    token_until: i64,
}

/// A ticket that was given out.
#[derive(Serialize, JsonSchema)]
struct Ticket {
    /// For `init.auth` of the first frame, or after `ticket.` as a second sub-protocol.
    ticket: String,
    /// Until when it can be used, once.
    #[schemars(with = "String")]
    expires_at: Timestamp,
}

/// Gives tickets out and takes them back.
pub(crate) struct Tickets {
    key: [u8; 32],
    used: Cache<[u8; 16], ()>,
    redis: Option<Redis>,
}

impl Tickets {
    pub(crate) fn new(key: [u8; 32], redis: Option<Redis>) -> Self {
        let used = Cache::builder().max_capacity(REMEMBERED_MOST).time_to_live(REMEMBERED).build();
        Self { key, used, redis }
    }

    fn write(&self, content: &Content) -> String {
        let mut bytes = serde_json::to_vec(content).unwrap_or_default();
        let mac = hmac(&self.key, &bytes);
        bytes.extend_from_slice(&mac);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn read(&self, text: &str) -> Option<Content> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let genuine = bool::from(hmac(&self.key, body).as_slice().ct_eq(mac));
        genuine.then(|| serde_json::from_slice(body).ok()).flatten()
    }

    /// Whom a ticket speaks for, the first time that a page of its origin brings it.
    pub(super) async fn redeem(
        &self,
        text: &str,
        origin: Option<&str>,
    ) -> Result<Principal, Problem> {
        let refused = || Problem::unauthenticated("the ticket is not valid; ask for another");
        let content = self.read(text).ok_or_else(refused)?;
        let is_in_time = content.until > clock::now().as_millisecond();
        if !is_in_time || content.origin.as_deref() != origin || !self.is_first(&content).await {
            return Err(refused());
        }
        Ok(Principal {
            tenant: content.tenant,
            actor: Actor {
                kind: ActorKind::User,
                id: content.user.to_string(),
                session_id: content.session,
                on_behalf_of: None,
                api_key_id: None,
            },
            expires_at: Timestamp::from_second(content.token_until).map_err(|_| refused())?,
            key: None,
            through: None,
        })
    }

    async fn is_first(&self, content: &Content) -> bool {
        if !self.used.entry(content.nonce).or_insert(()).is_fresh() {
            return false;
        }
        let Some(redis) = &self.redis else { return true };
        let nonce = URL_SAFE_NO_PAD.encode(content.nonce);
        match redis.is_first(&format!("ticket:{}:{nonce}", content.tenant), REMEMBERED).await {
            Ok(first) => first,
            // Another process could be shown it within its half minute, by whoever stole it, from the same origin.
            Err(error) => {
                tracing::warn!(%error, "a ticket is taken back on the word of this process alone");
                true
            }
        }
    }
}

/// The ticket among the sub-protocols that a client offers.
pub(super) fn offered(headers: &HeaderMap) -> Option<String> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    let mut offers = offers.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    offers.find_map(|offer| offer.trim().strip_prefix(SUBPROTOCOL)).map(str::to_owned)
}

/// Where a connection comes from.
pub(super) struct Whence {
    /// The origin of the page, if it is one.
    pub(super) origin: Option<String>,
    pub(super) ip: Option<IpAddr>,
    /// The id shared by everything that follows from the upgrade.
    pub(super) correlation: Arc<str>,
}

pub(super) fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok())
}

/// A ticket for the caller.
pub(crate) fn endpoint() -> Endpoint {
    let route = Route::post("/stream-tickets", Module::Audit, "audit_stream_ticket")
        .summary("a ticket that opens the caller's WebSocket, once, within 30 seconds, on pages of this origin")
        .in_person()
        .limited(QUOTA)
        .answers::<Ticket>(201);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        Ok(give(&call)?.into_response())
    })
}

fn give(call: &Call) -> Result<Response, Problem> {
    let expires_at = clock::now() + SignedDuration::from_secs(LIFE_SECONDS);
    let content = Content {
        nonce: random(),
        tenant: call.tenant(),
        user: call.person()?,
        session: call.principal.actor.session_id,
        origin: origin(&call.headers).map(str::to_owned),
        until: expires_at.as_millisecond(),
        token_until: call.principal.expires_at.as_second(),
    };
    let ticket = call.app.tickets.write(&content);
    let mut response = plain(&Ticket { ticket, expires_at });
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
