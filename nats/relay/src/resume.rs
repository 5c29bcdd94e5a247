//! Where to go on: one decision over what the stream, the log and the relay's memory say.

use nats::events::End;

use crate::log::{Head, Saved};

/// How the stream is brought in line with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Publish what comes after this position.
    pub(crate) after: i64,
    /// What the stream holds is not in this log: empty it first.
    pub(crate) purge: bool,
    /// Why it does not simply go on, for the operator.
    pub(crate) repair: Option<&'static str>,
}

/// `floor` is the lowest checkpoint of the projections; `head` was read after `end`, so that what another relay published
/// in between is not taken for foreign.
pub(crate) fn plan(head: Head, end: End, saved: Option<Saved>, floor: i64) -> Plan {
    let floor = floor.clamp(0, head.position);
    let same_stream = saved
        .filter(|saved| saved.epoch == head.log.epoch && saved.stream_created_ns == end.created_ns);
    match (end.last, same_stream) {
        (Some((log, position)), _) if log != head.log || position > head.position => Plan {
            after: floor,
            purge: true,
            repair: Some("the stream is of another log or epoch"),
        },
        (Some((_, position)), Some(_)) => Plan { after: position, purge: false, repair: None },
        // Consumers lost their place with the stream; what they may lack is sent again.
        (Some((_, position)), None) => Plan {
            after: position.min(floor),
            purge: false,
            repair: (floor < position).then_some("the stream was made anew"),
        },
        (None, Some(saved))
            if u64::try_from(saved.stream_sequence) == Ok(end.last_sequence)
                && saved.published_position <= head.position =>
        {
            Plan { after: saved.published_position, purge: false, repair: None }
        }
        (None, _) => Plan {
            after: floor,
            purge: false,
            repair: (floor < head.position).then_some("the stream does not say where it ends"),
        },
    }
}

#[cfg(test)]
mod tests {
    use nats::LogId;

    use super::*;

    const LOG: LogId = LogId { epoch: 2, born_us: 1_000 };

    fn head(position: i64) -> Head {
        Head { log: LOG, position }
    }

    fn stream(last_sequence: u64, last: Option<(LogId, i64)>) -> End {
        End { created_ns: 77, last_sequence, last }
    }

    fn remembered(stream_sequence: i64, published_position: i64) -> Saved {
        Saved { epoch: 2, stream_created_ns: 77, stream_sequence, published_position }
    }

    #[test]
    fn goes_on_after_the_last_message() {
        let plan = plan(head(50), stream(10, Some((LOG, 40))), Some(remembered(3, 33)), 5);
        assert_eq!(plan, Plan { after: 40, purge: false, repair: None });
    }

    #[test]
    fn goes_on_when_all_messages_have_expired() {
        let plan = plan(head(50), stream(10, None), Some(remembered(10, 50)), 5);
        assert_eq!(plan, Plan { after: 50, purge: false, repair: None });
    }

    #[test]
    fn starts_at_the_lowest_checkpoint_when_the_stream_is_new() {
        for saved in [None, Some(Saved { stream_created_ns: 76, ..remembered(10, 50) })] {
            let plan = plan(head(50), stream(0, None), saved, 5);
            assert_eq!((plan.after, plan.purge), (5, false));
        }
    }

    #[test]
    fn starts_at_the_lowest_checkpoint_when_memory_and_stream_disagree() {
        let plan = plan(head(50), stream(12, None), Some(remembered(10, 50)), 5);
        assert_eq!((plan.after, plan.purge), (5, false));
    }

    #[test]
    fn sends_again_what_a_new_stream_may_lack() {
        assert_eq!(plan(head(50), stream(10, Some((LOG, 40))), None, 5).after, 5);
        assert_eq!(plan(head(50), stream(10, Some((LOG, 40))), None, 45).after, 40);
    }

    #[test]
    fn empties_a_stream_that_is_ahead() {
        let plan = plan(head(50), stream(10, Some((LOG, 51))), Some(remembered(10, 51)), 48);
        assert_eq!((plan.after, plan.purge), (48, true));
    }

    #[test]
    fn empties_a_stream_of_another_epoch_or_database() {
        for other in [LogId { epoch: 1, ..LOG }, LogId { born_us: 999, ..LOG }] {
            let plan = plan(head(50), stream(10, Some((other, 40))), Some(remembered(10, 40)), 0);
            assert_eq!((plan.after, plan.purge), (0, true));
        }
    }

    #[test]
    fn never_starts_beyond_the_log() {
        assert_eq!(plan(head(50), stream(0, None), None, 900).after, 50);
    }
}
