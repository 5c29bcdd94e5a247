//! Refusals are kept like everything else: as events of the day's security log; and what a repeated key is answered with.

use axum::http::StatusCode;
use events::aggregate::Class;
use events::audit::security_log::{self, AccessDenied, Command, CommandRefused, SecurityLog};
use events::{Decider, Rejection, TenantId};
use platform::db::begin_for;
use platform::fold::Folded;
use platform::problem::Problem;
use platform::{clock, codes};
use uuid::Uuid;

use crate::answer::{Answer, Happened, Header, Place};
use crate::app::App;
use crate::draft::{Draft, Undecided};
use crate::log::{Append, AppendError, Outcome};
use crate::pipeline::Ask;
use crate::told::{About, Told};

impl App {
    /// Keeps the refusal of a command and hands it back; a key used before is answered as it was then.
    pub(crate) async fn refuse(
        &self,
        ask: &Ask,
        about: About<'_>,
        problem: Problem,
    ) -> Result<Answer, Problem> {
        if problem.status == 401 {
            return Err(problem); // nobody has been refused anything yet
        }
        if problem.lacks().is_some() {
            return Err(self.record_denial(ask, problem).await);
        }
        if ask.manner.validate_only {
            return Err(problem); // nobody has tried to do it
        }
        let command = Command::RecordRefusal(CommandRefused {
            command: ask.operation.to_owned(),
            resource_type: about.kind.to_owned(),
            resource_id: Some(about.id.to_owned()),
            status: problem.status,
            code: problem.code.clone(),
            detail: problem.detail.clone(),
            extensions: problem.extensions(),
        });
        let key = ask.manner.key.clone().filter(|_| is_deterministic(problem.status));
        match self.keep(ask, command, key).await? {
            Outcome::Replayed { first, last } => self.replay(ask, (first, last), about.told).await,
            Outcome::KeyReused => Err(key_reused()),
            Outcome::Stored(_)
            | Outcome::StaleVersion
            | Outcome::StaleFact
            | Outcome::Claimed { .. } => Err(problem),
        }
    }

    /// Keeps that a caller lacked a permission.
    pub(crate) async fn record_denial(&self, ask: &Ask, problem: Problem) -> Problem {
        let problem = self.access.clarified(&ask.principal, problem).await;
        let Some(permission) = problem.lacks().map(str::to_owned) else {
            return problem; // the session or the organisation is at fault, not the right
        };
        let denied = AccessDenied {
            permission,
            unit_id: problem.params.get("unit_id").and_then(|unit| unit.as_str()?.parse().ok()),
            method: String::new(),
            path_template: ask.operation.to_owned(),
            reason: problem.detail.clone(),
            repeated: 0,
            caller: None,
        };
        match self.deny(ask, denied).await {
            Ok(()) => problem,
            Err(unkept) => unkept,
        }
    }

    /// Appends to the day's security log.
    pub(crate) async fn keep(
        &self,
        ask: &Ask,
        command: Command,
        key: Option<(String, [u8; 32])>,
    ) -> Result<Outcome, Problem> {
        let stream = security_log::stream_id(clock::now());
        let mut draft = Draft::<SecurityLog>::new(stream, &Folded::default());
        match draft.decide(command, (), &ask.context()).await {
            Ok(_) => {}
            Err(Undecided::Refused(never)) => match never {},
            Err(Undecided::Failed(problem)) => return Err(*problem),
        }
        let mut write = draft.write();
        write.expected = None; // what is kept does not compete for a version
        let append =
            Append { key, ..Append::of(ask.principal.tenant, vec![write], ask.metadata(&[])) };
        self.append(ask, append).await
    }

    /// What the command that first came with the key was answered.
    pub(crate) async fn replay(
        &self,
        ask: &Ask,
        (first, last): (i64, i64),
        told: Told,
    ) -> Result<Answer, Problem> {
        let tenant = ask.principal.tenant;
        let events = self.span(tenant, first, last).await?;
        let Some(head) = events.first() else {
            return Err(Problem::internal(&"a used key names positions without events"));
        };
        if head.kind == SecurityLog::TYPE {
            ask.facts.notes.replayed();
            return Err(refused_before(&head.payload));
        }
        let of_head: Vec<&Spanned> =
            events.iter().filter(|event| event.id == head.id && event.kind == head.kind).collect();
        let version = of_head.last().map_or(0, |event| event.sequence);
        let happened = of_head.iter().map(|event| Happened {
            id: event.event_id,
            kind: event.event_type.clone(),
            version: event.sequence,
            data: None,
        });
        ask.facts.notes.replayed();
        let answer = Answer {
            committed: true,
            aggregate: Place { id: head.id.clone(), version },
            events: happened.collect(),
            effect: None,
            position: None,
            visible_in: None,
            pending_in: None,
            header: Header { status: ask.status, ..Header::default() },
        };
        let payloads = of_head.iter().map(|event| &*event.payload);
        Ok(told.tell(answer, payloads).at(self, tenant, head.epoch, last))
    }

    /// What the request that first came with the same key was answered, for commands that look at more than the log before they
    /// decide: what they saw then need not be so any more, a password least of all.
    pub(crate) async fn answered_before(
        &self,
        ask: &Ask,
        told: Told,
    ) -> Result<Option<Answer>, Problem> {
        let Some((key, fingerprint)) = &ask.manner.key else { return Ok(None) };
        if ask.manner.validate_only {
            return Ok(None);
        }
        let mut transaction = begin_for(&self.pool, ask.principal.tenant).await?;
        let found: Option<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "select fingerprint, first_position, last_position from log.idempotency
              where tenant_id = $1 and key = $2",
        )
        .bind(ask.principal.tenant.0)
        .bind(key)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        match found {
            None => Ok(None),
            Some((kept, first, last)) if kept == fingerprint => {
                self.replay(ask, (first, last), told).await.map(Some)
            }
            Some(_) => Err(key_reused()),
        }
    }

    async fn span(&self, tenant: TenantId, first: i64, last: i64) -> Result<Vec<Spanned>, Problem> {
        let events = sqlx::query_as(
            "select aggregate_type as kind, aggregate_id as id, sequence, event_id, event_type, payload, epoch
               from log.span($1, $2, $3)",
        )
        .bind(tenant.0)
        .bind(first)
        .bind(last)
        .fetch_all(&self.pool)
        .await?;
        Ok(events)
    }
}

#[derive(sqlx::FromRow)]
struct Spanned {
    kind: String,
    id: String,
    sequence: i64,
    event_id: Uuid,
    event_type: String,
    payload: String,
    epoch: i32,
}

/// Refusals that the same request would always meet; 403 is not among them, because rights come and go.
fn is_deterministic(status: u16) -> bool {
    matches!(status, 404 | 409 | 412 | 422)
}

fn refused_before(payload: &str) -> Problem {
    match serde_json::from_str(payload) {
        Ok(security_log::Event::CommandRefused(refused)) => {
            let status = axum::http::StatusCode::from_u16(refused.status).unwrap_or_default();
            Problem::new(status, &refused.code, refused.detail).extended(refused.extensions)
        }
        Ok(security_log::Event::AccessDenied(denied)) => Problem::forbidden(denied.reason),
        Ok(security_log::Event::DataRead(_)) => Problem::internal(&"a reading is no refusal"),
        Err(error) => Problem::internal(&error),
    }
}

/// The refusal that a claim held by another stream means.
pub(crate) fn claimed(namespace: &str) -> Problem {
    let found = events::catalogue::claims().find(|(name, _, _)| *name == namespace);
    match found {
        Some((_, code, detail)) => Problem::conflict(code, *detail),
        None => Problem::conflict("CLAIMED", format!("{namespace} is taken; choose another value")),
    }
}

/// A refusal by the rules, as a problem.
pub(crate) fn refused(rejection: &impl Rejection) -> Problem {
    let class = rejection.class();
    let status = StatusCode::from_u16(codes::status(class)).unwrap_or_default();
    let mut problem = Problem::new(status, rejection.code(), rejection.to_string());
    problem.params = rejection.params();
    match rejection.pointer() {
        Some(pointer) => problem.at(pointer),
        None if class == Class::Invalid => problem.at(""),
        None => problem,
    }
}

/// Why an append got no outcome, as a problem.
pub(crate) fn lost(error: &AppendError) -> Problem {
    match error {
        AppendError::Refusing => Problem::unavailable("too many commands are waiting; try again"),
        AppendError::Unreachable(_) => Problem::unavailable(
            "the log could not be reached, and whether the command was stored is not known; \
             repeat it with the same Idempotency-Key",
        ),
        AppendError::Broken(cause) => Problem::internal(cause),
    }
}

/// A decision that could not be made in peace.
pub(crate) fn busy() -> Problem {
    Problem::conflict("BUSY", "others keep changing the same record; try again").retryable()
}

pub(crate) fn key_reused() -> Problem {
    Problem::invalid(
        "Idempotency-Key",
        "IDEMPOTENCY_KEY_REUSED",
        "this Idempotency-Key came with another request before; use a new key for a new command",
    )
}
