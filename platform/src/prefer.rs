//! What a client would like about its answer (RFC 7240), read once for every request.

use std::time::Duration;

use axum::http::HeaderMap;

/// The preferences that we know; others are ignored, as they may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `wait`: how long the client waits for what it wants.
    pub wait: Option<Duration>,
    /// `handling`: whether a stale answer is better than none.
    pub lenient: bool,
    /// `respond-async`: whether the client rather comes back than waits.
    pub respond_async: bool,
    /// `return=minimal`: whether the client can do without the body.
    pub minimal: bool,
}

impl Prefer {
    /// The preferences of a request.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for value in headers.get_all("prefer") {
            for part in value.to_str().unwrap_or_default().split([',', ';']) {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let name = name.trim().to_ascii_lowercase();
                match (name.as_str(), value.trim().trim_matches('"')) {
                    ("wait", seconds) => {
                        prefer.wait = seconds.parse().ok().map(Duration::from_secs).or(prefer.wait);
                    }
                    ("handling", "lenient") => prefer.lenient = true,
                    ("handling", "strict") => prefer.lenient = false,
                    ("respond-async", "") => prefer.respond_async = true,
                    ("return", "minimal") => prefer.minimal = true,
                    _ => {}
                }
            }
        }
        prefer
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_str(value).unwrap());
        }
        Prefer::read(&headers)
    }

    #[test]
    fn preferences_are_read_from_one_line_or_several() {
        let all = Prefer {
            wait: Some(Duration::from_secs(25)),
            lenient: true,
            respond_async: true,
            minimal: true,
        };
        assert_eq!(read(&["wait=25, handling=lenient", "respond-async; Return=\"minimal\""]), all);
    }

    #[test]
    fn what_is_not_known_or_not_right_has_no_effect() {
        assert_eq!(read(&[]), Prefer::default());
        assert_eq!(read(&["wait=soon, depth=3, return=representation"]), Prefer::default());
    }
}
