//! What is audited, as a line of the process's own log: ids and names of ours alone, nothing that people wrote.

use events::Decider as _;
use events::audit::security_log::SecurityLog;
use platform::telemetry::AUDIT;
use tracing::Level;

use crate::log::Append;
use crate::pipeline::Ask;

const DENIED: &str = "audit.security_log.access_denied";
const FAILED: &str = "audit.security_log.command_refused";

/// What an append is about, known before it is handed over.
pub(crate) struct Line {
    status: &'static str,
    kind: &'static str,
    id: String,
    events: String,
}

impl Line {
    /// The line of an append, where anybody reads such lines.
    pub(crate) fn of(ask: &Ask, append: &Append) -> Option<Self> {
        let stream = append.streams.first()?;
        let types = append.streams.iter().flat_map(|stream| &stream.events);
        let types: Vec<&str> = types.map(|(_, event)| event.event_type.as_str()).collect();
        let status = match types.first() {
            Some(&DENIED) => "denied",
            Some(&FAILED) => "failed",
            Some(_) | None => "success",
        };
        let wanted = match status {
            "denied" => tracing::enabled!(target: AUDIT, Level::WARN),
            _ => tracing::enabled!(target: AUDIT, Level::INFO),
        };
        let (kind, id) = match stream.kind {
            SecurityLog::TYPE => (ask.operation, String::new()),
            kind => (kind, stream.id.clone()),
        };
        wanted.then(|| Self { status, kind, id, events: types.join(" ") })
    }

    /// Writes it, now that it is so.
    pub(crate) fn write(self, ask: &Ask, position: i64) {
        let Self { status, kind, id, events } = self;
        let actor = &ask.principal.actor;
        let actor_kind: &'static str = actor.kind.into();
        let (tenant, request) = (ask.principal.tenant, &ask.facts.request_id);
        macro_rules! line {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    target: AUDIT,
                    {
                        tenant.id = %tenant,
                        actor.kind = actor_kind,
                        actor.id = actor.id,
                        operation = ask.operation,
                        resource.kind = kind,
                        resource.id = id,
                        event.types = events,
                        log.position = position,
                        request.id = %request,
                        status
                    },
                    $text
                )
            };
        }
        match status {
            "denied" => line!(warn, "a permission was lacking"),
            "failed" => line!(info, "a command was refused"),
            _ => line!(info, "a command was carried out"),
        }
    }
}
