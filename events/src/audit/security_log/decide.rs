//! Every refusal and every reading is recorded; texts are cut to their limits rather than judged.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::commands::{Command, Never};
use super::events::{AccessDenied, Caller, CommandRefused, DataRead, Event};
use super::state::SecurityLog;
use crate::aggregate::{Context, Decider};
use crate::modules::Module;
use crate::text;

/// The longest detail or reason that is kept, in characters.
const MAX_DETAIL_CHARS: usize = 1_000;

/// The longest of the other texts that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;

/// The longest JSON of the other members of an answer: a version conflict tells of up to 50 events.
const MAX_EXTENSIONS_BYTES: usize = 32_768;

/// The most filters that are kept of what somebody read.
const MAX_FILTERS: usize = 5;

/// The id of the stream to which what is recorded at that moment belongs.
pub fn stream_id(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).date().to_string()
}

/// All of it, or nothing where it is too long to be kept: half of an answer would be another answer.
fn bounded(extensions: Map<String, Value>) -> Map<String, Value> {
    let short =
        serde_json::to_vec(&extensions).is_ok_and(|json| json.len() <= MAX_EXTENSIONS_BYTES);
    if short { extensions } else { Map::new() }
}

impl Decider for SecurityLog {
    const TYPE: &'static str = "audit.security_log";
    const MODULE: Module = Module::Audit;
    type Command = Command;
    type Event = Event;
    type Rejection = Never;
    type Facts = ();

    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Never> {
        let name = |text: &str| text::cut(text, MAX_NAME_CHARS);
        Ok(vec![match command {
            Command::RecordRefusal(refused) => Event::CommandRefused(CommandRefused {
                command: name(&refused.command),
                resource_type: name(&refused.resource_type),
                resource_id: refused.resource_id.as_deref().map(name),
                status: refused.status,
                code: name(&refused.code),
                detail: text::cut(&refused.detail, MAX_DETAIL_CHARS),
                extensions: bounded(refused.extensions),
            }),
            Command::RecordDenial(denied) => Event::AccessDenied(AccessDenied {
                permission: name(&denied.permission),
                unit_id: denied.unit_id,
                method: name(&denied.method),
                path_template: name(&denied.path_template),
                reason: text::cut(&denied.reason, MAX_DETAIL_CHARS),
                repeated: denied.repeated,
                caller: denied.caller.map(|caller| Caller { id: name(&caller.id), ..caller }),
            }),
            Command::RecordRead(read) => Event::DataRead(DataRead {
                reader_id: name(&read.reader_id),
                dataset: name(&read.dataset),
                filters: read.filters.iter().take(MAX_FILTERS).map(|text| name(text)).collect(),
                ..read
            }),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::CommandRefused(_) => self.refusals += 1,
            Event::AccessDenied(denied) => self.denials += denied.repeated.max(1),
            Event::DataRead(_) => self.reads += 1,
        }
    }
}
