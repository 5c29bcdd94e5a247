//! The pages of the mailbox, in templates that escape what they show.

use std::sync::{Arc, LazyLock};

use anyhow::Context as _;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::message::{Full, Summary, pieces};
use super::store::{Filter, SHOWN_MOST};

pub(super) const STYLE: &str = include_str!("pages/mailbox.css");
pub(super) const SCRIPT: &str = include_str!("pages/mailbox.js");

static PAGES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    pages.add_template("frame", include_str!("pages/frame.html"))?;
    pages.add_template("list", include_str!("pages/list.html"))?;
    pages.add_template("message", include_str!("pages/message.html"))?;
    pages.add_filter("size", size);
    pages.add_filter("part", part);
    Ok(pages)
});

/// The list.
pub(super) fn list(
    messages: &[Arc<Summary>],
    total: usize,
    filter: &Filter,
) -> anyhow::Result<String> {
    let (q, to, most) = (&filter.q, &filter.to, SHOWN_MOST);
    let messages = Value::from(Serde(messages));
    fill(
        "list",
        context! { messages, total, q, to, most, is_narrowed => !q.is_empty() || !to.is_empty() },
    )
}

/// One message.
pub(super) fn message(message: &Full) -> anyhow::Result<String> {
    let text = Value::from(Serde(message.text.as_deref().map(pieces)));
    let message = Value::from(Serde(message));
    fill("message", context! { message, text })
}

fn fill(page: &str, values: Value) -> anyhow::Result<String> {
    let pages = PAGES.as_ref().context("a page of the mailbox cannot be read")?;
    Ok(pages.get_template(page)?.render(values)?)
}

/// Text as a part of an address.
fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..1_048_576 => format!("{} KiB", bytes.div_ceil(KIB)),
        _ => format!("{} MiB", bytes.div_ceil(KIB * KIB)),
    }
}
