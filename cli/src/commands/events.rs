//! `annals events`: the organisation's history as it stands in the log, for whoever wants to verify or keep it.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use futures::StreamExt as _;
use serde::Deserialize;

use super::client::{Client, Error, Options};

/// A replay that breaks off so often without one more event is given up.
const BREAKS_MOST: u32 = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write every event to standard output, one JSON object per line; `annals verify` reads it
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    #[command(flatten)]
    client: Options,
    #[command(flatten)]
    range: Range,
}

/// Which events.
#[derive(Debug, clap::Args)]
struct Range {
    /// The first position
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: i64,
    /// The last position; the head of the log at the start when absent
    #[arg(long, value_name = "N")]
    to: Option<i64>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::Replay(replay) => {
            let client = Client::start(&replay.client).await?;
            let outcome = replay.range.run(&client, std::io::stdout().lock()).await;
            client.sign_out().await;
            outcome.map(|()| ExitCode::SUCCESS)
        }
    }
}

/// What has been written of a replay.
struct Written<W: Write> {
    out: std::io::BufWriter<W>,
    /// The position to go on from when the connection breaks.
    next: i64,
    /// The beginning of a line whose end has yet to come.
    partial: Vec<u8>,
}

impl Replay {
    /// Writes every event up to the head of the log.
    pub(super) async fn everything(client: &Client, out: impl Write) -> anyhow::Result<()> {
        Range { from: 1, to: None }.run(client, out).await
    }
}

impl Range {
    async fn run(&self, client: &Client, out: impl Write) -> anyhow::Result<()> {
        ensure!(self.from > 0, "--from counts from 1");
        let out = std::io::BufWriter::with_capacity(1 << 20, out);
        let mut written = Written { out, next: self.from, partial: Vec::new() };
        let mut breaks = 0;
        loop {
            let before = written.next;
            let Err(error) = self.part(client, &mut written).await else { break };
            if reader_is_gone(&error) {
                return Ok(()); // as with `| head`
            }
            breaks = if written.next > before { 1 } else { breaks + 1 };
            let again = format!("go on with --from {}", written.next);
            let refused = error.downcast_ref::<Error>().is_some();
            if refused || breaks > BREAKS_MOST {
                return Err(error.context(format!("the replay broke off; {again}")));
            }
            written.partial.clear();
        }
        match written.out.flush() {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// One connection's worth, up to the end or to where it breaks.
    async fn part(&self, client: &Client, written: &mut Written<impl Write>) -> anyhow::Result<()> {
        let from = written.next.to_string();
        let mut asked = vec![("from", from.as_str())];
        let to = self.to.map(|to| to.to_string());
        asked.extend(to.as_deref().map(|to| ("to", to)));
        let response = client.ask("/events/replay", &asked, None).await?;
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            written.take(&part.context("the connection broke")?)?;
        }
        ensure!(written.partial.is_empty(), "the last line is not whole");
        Ok(())
    }
}

impl<W: Write> Written<W> {
    /// Writes the whole lines, and keeps the rest.
    fn take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            self.partial.extend_from_slice(bytes);
            return Ok(());
        };
        let (whole, rest) = bytes.split_at(end + 1);
        self.out.write_all(&self.partial)?;
        self.out.write_all(whole)?;
        let begin = whole[..end].iter().rposition(|byte| *byte == b'\n').map(|place| place + 1);
        let last = match begin {
            Some(begin) => position(&whole[begin..]),
            None => position(&[&self.partial, whole].concat()),
        };
        self.next = last.context("a line is no event")? + 1;
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(())
    }
}

fn position(line: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Place {
        position: i64,
    }
    serde_json::from_slice::<Place>(line).ok().map(|place| place.position)
}

fn reader_is_gone(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
