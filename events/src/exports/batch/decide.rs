//! The rules of a batch.

use super::{Batch, Came, Command, Event, Item, Known, Rejection, Request, Stage};
use crate::aggregate::{Context, Decider};
use crate::ids::ExportId;
use crate::job::State;
use crate::modules::Module;
use crate::text;

/// Most files of a batch.
pub const ITEMS_MAX_COUNT: usize = 50;
/// Longest title.
pub const TITLE_MAX_CHARS: usize = 100;
/// Longest code of a refusal that is kept.
const CODE_MAX_CHARS: usize = 64;
/// How much of what a refusal says is kept.
const DETAIL_MAX_CHARS: usize = 1_000;

impl Decider for Batch {
    const TYPE: &'static str = "exports.batch";
    const MODULE: Module = Module::Exports;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(
        &self,
        command: Command,
        (): &(),
        context: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match (self.job.state, command) {
            (State::Absent, Command::Request(request)) => requested(request, context),
            (State::Absent, _) => Err(Rejection::Unknown),
            (_, Command::Request(_)) => Err(Rejection::Exists),
            (State::Queued, Command::Start) => Ok(self.start()),
            // Whoever comes late, or twice.
            (_, Command::Start) | (State::Cancelled, Command::Cancel) => Ok(vec![]),
            (_, Command::RecordItem { item, came }) => self.record(item, came),
            (_, Command::FinishItem { export_id, made }) => Ok(self.finish(export_id, made)),
            (State::Queued | State::Running, Command::Cancel) => Ok(vec![Event::Cancelled]),
            (state, Command::Cancel) => Err(Rejection::Finished(state.name())),
            (State::Failed, Command::Retry) => {
                Ok(vec![Event::Retried { attempts: self.job.attempts }])
            }
            (state, Command::Retry) => Err(Rejection::NotFailed(state.name())),
            (State::Succeeded, Command::RecordDownload { by }) => {
                Ok(vec![Event::Downloaded { by }])
            }
            (state, Command::RecordDownload { .. }) => {
                Err(Rejection::NotDownloadable(state.name()))
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

fn requested(request: Request, context: &Context) -> Result<Vec<Event>, Rejection> {
    let Request { title, items, run_at, requested_by } = request;
    if !context.actor.acts_as(requested_by) {
        return Err(Rejection::RequesterMismatch);
    }
    if !(1..=ITEMS_MAX_COUNT).contains(&items.len()) {
        return Err(Rejection::ItemsInvalid);
    }
    if run_at.is_some_and(|at| at <= context.now) {
        return Err(Rejection::RunAtPast);
    }
    let title = title.map(|title| text::line(&title, TITLE_MAX_CHARS));
    let title = title.transpose().map_err(Rejection::TitleInvalid)?;
    let checked = |item: Item| {
        let report = item.report.checked().map_err(|_| Rejection::ItemInvalid)?;
        let fits = report.options.fits(item.format, &report.columns);
        fits.map_err(|_| Rejection::ItemInvalid)?;
        Ok(Item { report, ..item })
    };
    let items = items.into_iter().map(checked).collect::<Result<_, Rejection>>()?;
    Ok(vec![Event::Requested { title, items, run_at, requested_by }])
}

impl Batch {
    /// Asks for everything that has no file.
    fn start(&self) -> Vec<Event> {
        let without =
            |(number, known): (u32, &Known)| (known.stage != Stage::Made).then_some(number);
        let items = (0..).zip(&self.items).filter_map(without).collect();
        vec![Event::Started { attempt: self.job.attempts + 1, items }]
    }

    fn record(&self, item: u32, came: Came) -> Result<Vec<Event>, Rejection> {
        if self.job.state == State::Cancelled {
            return Ok(vec![]);
        }
        let known = usize::try_from(item).ok().and_then(|number| self.items.get(number));
        let known = known.ok_or(Rejection::ItemUnknown)?;
        if known.stage != Stage::Waiting {
            return Ok(vec![]); // the one who asks has been here before
        }
        Ok(match came {
            Came::Requested(export_id) => vec![Event::ItemRequested { item, export_id }],
            Came::Refused { code, detail } => {
                let code = text::cut(&code, CODE_MAX_CHARS);
                let detail = text::cut(&detail, DETAIL_MAX_CHARS);
                let refused = Event::ItemRefused { item, code, detail, ended: self.ended() + 1 };
                self.with_end(refused)
            }
        })
    }

    /// Also when the batch is over: a file that failed can be tried again by itself, and is then among the others.
    fn finish(&self, export_id: ExportId, made: bool) -> Vec<Event> {
        let found = (0..).zip(&self.items).find(|(_, known)| known.export_id == Some(export_id));
        // One of an attempt before is no longer asked about.
        let Some((item, known)) = found else { return vec![] };
        let stage = if made { Stage::Made } else { Stage::Failed };
        if known.stage == stage || self.job.state == State::Cancelled {
            return vec![];
        }
        let ended = self.ended() + u32::from(!known.stage.is_over());
        self.with_end(Event::ItemFinished { item, export_id, made, ended })
    }

    fn ended(&self) -> u32 {
        let over = self.items.iter().filter(|known| known.stage.is_over()).count();
        u32::try_from(over).unwrap_or(u32::MAX)
    }

    /// The end of an item, and that of the batch where it was the last.
    fn with_end(&self, event: Event) -> Vec<Event> {
        let mut after = self.clone();
        after.evolve(&event);
        if !after.items.iter().all(|known| known.stage.is_over()) {
            return vec![event];
        }
        let made = after.items.iter().filter(|known| known.stage == Stage::Made).count();
        let made = u32::try_from(made).unwrap_or(u32::MAX);
        let failed = after.ended() - made;
        match (self.job.state, made) {
            (State::Running, 0) => {
                let message = "none of the files could be made: see why, and retry".into();
                vec![event, Event::Failed { code: "no_file".into(), message }]
            }
            (State::Running | State::Failed, 1..) => {
                vec![event, Event::Completed { made, failed }]
            }
            _ => vec![event],
        }
    }
}
