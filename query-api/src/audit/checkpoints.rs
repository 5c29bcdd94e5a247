//! What the notary has signed of the organisation's log, whether it goes on signing, and the keys to verify it with.

use ::events::{Module, Permission};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use platform::transparency::checkpoint::Origin;
use platform::transparency::note::VerifierKey;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::answer::{Items, plain};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::list::push_json;
use crate::paging::{self, Paged, SIZES, Start};
use crate::shape::query;

const PAGE: &[Parameter] = &[
    query(
        "before",
        "checkpoints of fewer events than this; or a cursor, from `page.next` or `page.prev`",
    ),
    query("limit", "checkpoints of a page: 50 unless told, at most 500"),
];

/// A page of checkpoints.
#[derive(Debug, Serialize, JsonSchema)]
struct Checkpoints {
    /// The log, as its checkpoints name it.
    origin: String,
    items: Vec<Checkpoint>,
    /// Nothing before the first event is signed.
    notary: Option<Notary>,
}

/// The root of the tree over the first so many events, as it was signed.
#[derive(Debug, Serialize, JsonSchema)]
struct Checkpoint {
    /// How many events.
    size: i64,
    /// Where the last of them stands.
    position: i64,
    /// SHA-256 (RFC 6962), in base64.
    root: String,
    #[schemars(with = "String")]
    signed_at: Timestamp,
}

/// How far the log is signed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Notary {
    /// `signing`, or `refusing`: the log is not what was signed before.
    state: String,
    /// Why it refuses.
    reason: Option<String>,
    /// The first event that is not as it was recorded, where that can be told.
    tenant_seq: Option<i64>,
    /// Its id, if it is there.
    event_id: Option<Uuid>,
    /// Since when.
    #[schemars(with = "String")]
    since: Timestamp,
}

/// A public key of the notary.
#[derive(Debug, Serialize, JsonSchema)]
struct Key {
    /// As C2SP signed-note writes keys: name, id, key.
    vkey: String,
    #[schemars(with = "String")]
    created_at: Timestamp,
}

/// The organisation's log in the epoch that the answer stands in.
pub(super) fn origin(call: &Call, epoch: i32) -> Origin {
    Origin::new(&call.app.settings.issuer, call.tenant(), epoch)
}

pub(super) fn list() -> Endpoint {
    let route = Route::get("/audit/checkpoints", Module::Audit, "audit_checkpoints")
        .summary("What is signed of the organisation's log, newest first, and whether it goes on")
        .needs(Permission::AuditTrailRead)
        .answers::<Paged<Checkpoints>>(200)
        .parameters(PAGE);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["before", "limit"])?;
        let (limit, start) = (paging::limit(&call, SIZES)?, Start::read(&call, "before")?);
        let (symbol, direction) = start.order(true);
        let mut statement = Statement::default();
        let beside = statement.bind(Bind::Integer(start.from.unwrap_or(i64::MAX)));
        statement.sql = format!(
            "select c.size, c.position, c.root, c.signed_at from audit.checkpoints c \
             where c.epoch = (select epoch from log.head) and c.size {symbol} ${beside} \
             order by c.size {direction} limit {}",
            limit + 1
        );
        let asked = call.ask(&[], &statement).await?;
        let read = asked.rows.iter().map(checkpoint).collect::<Result<Vec<_>, _>>()?;
        let (items, beside) = start.cut(read, limit, |checkpoint| checkpoint.size);
        let page = start.page(&call, &asked, &beside, limit)?;
        let origin = origin(&call, asked.place.epoch).to_string();
        let mut body = String::new();
        push_json(&mut body, &Checkpoints { origin, items, notary: notary(&call).await? });
        body.pop(); // the page follows
        Ok(paging::respond(&call, &asked, body, &page, ""))
    })
}

fn checkpoint(row: &PgRow) -> Result<Checkpoint, sqlx::Error> {
    Ok(Checkpoint {
        size: row.try_get("size")?,
        position: row.try_get("position")?,
        root: STANDARD.encode(row.try_get::<&[u8], _>("root")?),
        signed_at: moment(row, "signed_at")?,
    })
}

fn moment(row: &PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(row.try_get::<jiff_sqlx::Timestamp, _>(column)?.to_jiff())
}

pub(super) async fn notary(call: &Call) -> Result<Option<Notary>, Problem> {
    let statement = Statement {
        sql: "select n.state, n.reason, n.tenant_seq, n.event_id, n.since from audit.notary_states n \
              where n.epoch = (select epoch from log.head)"
            .into(),
        ..Statement::default()
    };
    let asked = call.ask(&[], &statement).await?;
    let Some(row) = asked.rows.first() else { return Ok(None) };
    Ok(Some(Notary {
        state: row.try_get("state")?,
        reason: row.try_get("reason")?,
        tenant_seq: row.try_get("tenant_seq")?,
        event_id: row.try_get("event_id")?,
        since: moment(row, "since")?,
    }))
}

pub(super) fn one() -> Endpoint {
    let route = Route::get("/audit/checkpoints/{size}", Module::Audit, "audit_checkpoint")
        .summary(
            "A checkpoint as a signed note (C2SP tlog-checkpoint): of so many events, or `latest`",
        )
        .needs(Permission::AuditTrailRead)
        .answers::<String>(200)
        .media_type("text/plain");
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let mut statement = Statement::default();
        let which = match call.segment("size") {
            "latest" => "true".to_owned(),
            size => {
                let size = size.parse().map_err(|_| Problem::absent("checkpoint"))?;
                format!("c.size = ${}", statement.bind(Bind::Integer(size)))
            }
        };
        statement.sql = format!(
            "select c.note from audit.checkpoints c \
             where c.epoch = (select epoch from log.head) and {which} order by c.size desc limit 1"
        );
        let asked = call.ask(&[], &statement).await?;
        let row = asked.rows.first().ok_or_else(|| Problem::absent("checkpoint"))?;
        let note: String = row.try_get("note")?;
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        let response: Response = ([(header::CONTENT_TYPE, kind)], note).into_response();
        Ok(response)
    })
}

pub(super) fn keys() -> Endpoint {
    let route = Route::get("/audit/keys", Module::Audit, "audit_keys")
        .summary("The public keys that verify checkpoints, the newest first; keep them elsewhere")
        .needs(Permission::AuditTrailRead)
        .answers::<Items<Key>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let statement = Statement {
            sql: "select k.public_key, k.created_at from secrets.notary_keys k \
                  order by k.created_at desc, k.kid limit 100"
                .into(),
            ..Statement::default()
        };
        let asked = call.ask(&[], &statement).await?;
        let name = origin(&call, asked.place.epoch).to_string();
        let key = |row: &PgRow| -> Result<Key, Problem> {
            let public: &[u8] = row.try_get("public_key")?;
            let public = public.try_into().map_err(|error| Problem::internal(&error))?;
            let vkey =
                VerifierKey::new(&name, public).map_err(|error| Problem::internal(&error))?;
            Ok(Key { vkey: vkey.to_string(), created_at: moment(row, "created_at")? })
        };
        Ok(plain(&Items { items: asked.rows.iter().map(key).collect::<Result<_, _>>()? }))
    })
}
