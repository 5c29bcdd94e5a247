//! Why a conversation over a WebSocket ends: the code it is closed with, and what is said before.

use platform::problem::Problem;

use super::frames::{self, ServerFrame};

/// What a client is closed with that takes nothing.
pub(super) const SLOW_CODE: u16 = 4508;
const MAX_REASON_BYTES: usize = 123;

/// Why a conversation ends.
pub(super) struct End {
    pub(super) code: u16,
    pub(super) reason: String,
    /// What is said before.
    pub(super) last: Option<String>,
}

impl End {
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(MAX_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code, reason: reason[..end].to_owned(), last: None }
    }

    /// The same for who is too slow, told before where they stand.
    pub(super) fn after(self, frame: &ServerFrame<'_>) -> Self {
        let last = (self.code == SLOW_CODE).then(|| serde_json::to_string(frame).ok()).flatten();
        Self { last, ..self }
    }

    /// For a frame that is none; what is wrong with it does not fit beside the code.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        let problem = Problem::bad_request("FRAME_INVALID", detail.into());
        let last = Some(frames::error(None, &problem).to_string());
        Self { last, ..Self::new(4400, &problem.code) }
    }

    /// The client has gone; nothing can be said any more.
    pub(super) fn gone() -> Self {
        Self::new(0, "")
    }

    pub(super) fn of(problem: &Problem) -> Self {
        let code = match problem.status {
            401 => 4401,
            403 => 4403,
            429 => 4429,
            400..=499 => 4400,
            _ => 4500,
        };
        Self::new(code, &problem.code)
    }
}
