//! That somebody read what is sensitive, or was refused a question, as our query API says it: events of the day's security log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::audit::security_log::{AccessDenied, Caller, Command, DataRead};
use events::{ActorKind, ApiKeyId, Module, Permission, SessionId, UnitId};
use jiff::Timestamp;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::log::Outcome;
use crate::refusal::{busy, key_reused};
use crate::registry::{Incoming, KEY, Registry};

/// What one caller read of one dataset within some minutes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Read {
    /// What kind of caller.
    reader_kind: ActorKind,
    /// The user's id, or the service's name.
    reader_id: String,
    /// The session, where there was one.
    #[serde(default)]
    session_id: Option<SessionId>,
    /// The API key, where there was one.
    #[serde(default)]
    api_key_id: Option<ApiKeyId>,
    /// The dataset, or `audit.events`.
    dataset: String,
    /// Which rows were asked for; the first different filters.
    filters: Vec<String>,
    /// How often it was read.
    reads: u64,
    /// How many rows were shown in all.
    rows: u64,
    /// When it was first read.
    first_at: Timestamp,
    /// When it was last read.
    last_at: Timestamp,
}

/// That a caller has no permission for what they asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Denial {
    /// Who was refused.
    caller: Caller,
    /// The permission that was needed.
    permission: String,
    /// The unit in which it was needed, where one was named.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// The operation, for example `rbac_roles`.
    operation: String,
    /// What was missing.
    reason: String,
    /// How many requests it stands for, after one that was told before; 0 where it is that one.
    repeated: u64,
}

/// What is in the log.
#[derive(Serialize, JsonSchema)]
struct Recorded {
    committed: bool,
}

pub(super) fn routes(registry: &mut Registry) {
    let route = Route::post("/audit-logs/reads", Module::Audit, "audit_security_log_record_read")
        .summary("the query API says what somebody read that is sensitive")
        .needs(Permission::AuditReadsRecord)
        .takes::<Read>()
        .parameters(&[KEY])
        .answers::<Recorded>(201);
    registry.special(route.clone(), move |State(app): State<Arc<App>>, request: Incoming| {
        let route = route.clone();
        async move { record::<Read>(&app, &route, &request).await }
    });
    let path = "/audit-logs/denials";
    let route = Route::post(path, Module::Audit, "audit_security_log_record_denial")
        .summary("the query API says whom it refused what they have no permission for")
        .needs(Permission::AuditReadsRecord)
        .takes::<Denial>()
        .parameters(&[KEY])
        .answers::<Recorded>(201);
    registry.special(route.clone(), move |State(app): State<Arc<App>>, request: Incoming| {
        let route = route.clone();
        async move { record::<Denial>(&app, &route, &request).await }
    });
}

impl From<Read> for Command {
    fn from(read: Read) -> Self {
        Self::RecordRead(DataRead {
            reader_kind: read.reader_kind,
            reader_id: read.reader_id,
            session_id: read.session_id,
            api_key_id: read.api_key_id,
            dataset: read.dataset,
            filters: read.filters,
            reads: read.reads,
            rows: read.rows,
            first_at: read.first_at,
            last_at: read.last_at,
        })
    }
}

impl From<Denial> for Command {
    fn from(denial: Denial) -> Self {
        let denied = AccessDenied {
            permission: denial.permission,
            unit_id: denial.unit_id,
            method: String::new(),
            path_template: denial.operation,
            reason: denial.reason,
            repeated: 0,
            caller: Some(denial.caller),
        };
        Self::RecordDenial(match denial.repeated {
            0 => denied,
            more => denied.standing_for(more),
        })
    }
}

async fn record<T: DeserializeOwned + Into<Command>>(
    app: &App,
    route: &Route,
    request: &Incoming,
) -> Result<(StatusCode, Json<Recorded>), Problem> {
    let mut ask = request.ask(app, route).await?;
    app.admit(&mut ask).await?;
    let command = request.json::<T>()?.into();
    let key = ask.manner.key.clone();
    match app.keep(&ask, command, key).await? {
        Outcome::Stored(_) | Outcome::Replayed { .. } => {
            Ok((StatusCode::CREATED, Json(Recorded { committed: true })))
        }
        Outcome::KeyReused => Err(key_reused()),
        Outcome::StaleVersion | Outcome::StaleFact | Outcome::Claimed { .. } => Err(busy()),
    }
}
