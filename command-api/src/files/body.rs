//! Bodies as they come: written to disk piece by piece, never longer than allowed, and never waited for without an end.

use std::fs::File as Disk;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use platform::problem::Problem;
use tokio::io::AsyncWriteExt as _;

use super::keep::broken;

/// A sender that is silent for so long is given up.
const SILENCE_MOST: Duration = Duration::from_secs(30);

/// What became of a body.
pub(super) struct Received {
    pub(super) size_bytes: u64,
    /// Why it ended before its end.
    pub(super) cut: Option<Problem>,
}

/// Adds a body to a file, at most so many bytes of it.
pub(super) async fn receive<E: std::fmt::Display>(
    body: impl Stream<Item = Result<Bytes, E>>,
    into: &Disk,
    most: u64,
) -> Result<Received, Problem> {
    let mut file = tokio::fs::File::from_std(into.try_clone().map_err(broken)?);
    let (mut body, mut size_bytes) = (std::pin::pin!(body), 0);
    let cut = loop {
        let piece = match tokio::time::timeout(SILENCE_MOST, body.next()).await {
            Err(_) => break Some(silent()),
            Ok(None) => break None,
            Ok(Some(Err(error))) => {
                break Some(Problem::bad_request("BODY_UNREADABLE", error.to_string()));
            }
            Ok(Some(Ok(piece))) => piece,
        };
        if piece.len() as u64 > most - size_bytes {
            break Some(too_large(most));
        }
        size_bytes += piece.len() as u64;
        file.write_all(&piece).await.map_err(broken)?;
    };
    file.flush().await.map_err(broken)?;
    file.sync_data().await.map_err(broken)?;
    Ok(Received { size_bytes, cut })
}

/// Without anything coming of it, no more than this is read of a form.
const UNREAD_MOST_BYTES: usize = 1024 * 1024;

/// A body handed on a piece at a time. Whoever reads forms takes all that is ready into memory, however much that is: here nothing
/// is, until what came before was looked at, and of what nothing ever comes there is an end.
pub(super) struct Paced<S> {
    body: S,
    handed: bool,
    unread: Progress,
}

/// How much was handed on since something came of it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// Something came of it.
    pub(super) fn made(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl<S> Paced<S> {
    pub(super) fn new(body: S) -> Self {
        Self { body, handed: false, unread: Progress::default() }
    }

    pub(super) fn progress(&self) -> Progress {
        self.unread.clone()
    }
}

impl<S, E> Stream for Paced<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.handed) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = match std::task::ready!(self.body.poll_next_unpin(context)) {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Poll::Ready(Some(Err(std::io::Error::other(error)))),
            None => return Poll::Ready(None),
        };
        self.handed = true;
        let before = self.unread.0.fetch_add(piece.len(), Ordering::Relaxed);
        if before.saturating_add(piece.len()) > UNREAD_MOST_BYTES {
            let error = std::io::Error::other("a field of the form has no end");
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

pub(super) fn too_large(most: u64) -> Problem {
    let detail = format!("at most {most} bytes can come here; send a smaller file");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail).with("size_bytes", most)
}

fn silent() -> Problem {
    let detail = "nothing came for a while; send the body without pauses";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "BODY_SILENT", detail)
}
