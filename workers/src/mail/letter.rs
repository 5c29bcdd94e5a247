//! A letter: what it says, and the message that it becomes, as text and as HTML.

use std::sync::LazyLock;

use anyhow::Context as _;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use minijinja::{AutoEscape, Environment, context};
use mrml::prelude::render::RenderOptions;
use uuid::Uuid;

/// What one person is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Letter {
    /// Where it goes.
    pub(crate) to: String,
    /// What it is about.
    pub(crate) subject: String,
    /// What it says.
    pub(crate) paragraphs: Vec<String>,
    /// What to do about it, and the address where that is done.
    pub(crate) action: Option<(&'static str, String)>,
    /// Where such letters are stopped by one click; nowhere where the reader has to have them.
    pub(crate) unsubscribe: Option<String>,
}

/// Who a letter is from.
pub(super) struct Ends<'a> {
    /// In whose name.
    pub(super) sender: &'a str,
    pub(super) from: &'a Address,
    /// Where answers go, if elsewhere.
    pub(super) reply_to: Option<&'a Address>,
}

/// Where a mail program unsubscribes its reader (RFC 2369).
#[derive(Debug, Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(address: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(address.trim_matches(['<', '>']).to_owned()))
    }

    fn display(&self) -> HeaderValue {
        // An address of ours has no blanks and nothing but ASCII; encoded or folded within, it would be none.
        let value = format!("<{}>", self.0);
        HeaderValue::dangerous_new_pre_encoded(Self::name(), value.clone(), value)
    }
}

/// That one POST there does it (RFC 8058).
#[derive(Debug, Clone)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".into())
    }
}

/// Nobody answers to it, and programs should not either (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

const TEXT: &str = "letter.txt";
const MARKUP: &str = "letter.mjml";

static TEMPLATES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|name| {
        if name == MARKUP { AutoEscape::Html } else { AutoEscape::None }
    });
    templates.add_template(TEXT, include_str!("templates/letter.txt"))?;
    templates.add_template(MARKUP, include_str!("templates/letter.mjml"))?;
    Ok(templates)
});

impl Letter {
    /// The message. Its id follows from `id`, so that one that comes twice is recognised by who gets it.
    pub(super) fn message(&self, id: Uuid, ends: &Ends<'_>) -> anyhow::Result<Message> {
        let Ends { sender, from, reply_to } = *ends;
        let to: Address = self.to.parse().context("it goes to no e-mail address")?;
        let html = mrml::parse(self.fill(MARKUP, sender)?)
            .context("the template of letters cannot be read")?
            .element
            .render(&RenderOptions::default())
            .context("the template of letters cannot be rendered")?;
        let mut builder = Message::builder()
            .from(Mailbox::new(Some(sender.to_owned()), from.clone()))
            .to(Mailbox::new(None, to))
            .subject(self.subject.as_str())
            .message_id(Some(format!("<{id}@{}>", from.domain())))
            .header(AutoSubmitted);
        if let Some(reply_to) = reply_to {
            builder = builder.reply_to(Mailbox::new(None, reply_to.clone()));
        }
        if let Some(address) = &self.unsubscribe {
            let is_plain =
                address.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte));
            anyhow::ensure!(is_plain, "the address that unsubscribes is none");
            builder = builder.header(ListUnsubscribe(address.clone())).header(ListUnsubscribePost);
        }
        let message = builder
            .multipart(MultiPart::alternative_plain_html(self.fill(TEXT, sender)?, html))
            .context("the letter cannot be written")?;
        Ok(message)
    }

    fn fill(&self, template: &str, sender: &str) -> anyhow::Result<String> {
        let templates = TEMPLATES.as_ref().context("a template of letters cannot be read")?;
        let label = self.action.as_ref().map(|(label, _)| *label);
        let link = self.action.as_ref().map(|(_, link)| link.as_str());
        let values = context! {
            subject => &self.subject, paragraphs => &self.paragraphs, label, link, sender,
            unsubscribe => self.unsubscribe.as_deref(),
        };
        Ok(templates.get_template(template)?.render(values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            to: "ada@acme.test".into(),
            subject: "Ada & Co <invites> you".into(),
            paragraphs: vec!["<script>alert(1)</script>".into(), "Second, {{ link }}".into()],
            action: Some(("Accept", "http://annals.test/accept?a=1&b=2#token=t".into())),
            unsubscribe: None,
        }
    }

    fn written(letter: &Letter) -> String {
        let from = "annals@house.test".parse().unwrap();
        let ends = Ends { sender: "Acme", from: &from, reply_to: None };
        let message = letter.message(Uuid::nil(), &ends).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        text.replace("=\r\n", "").replace("=3D", "=")
    }

    #[test]
    fn a_letter_is_text_and_html_and_is_known_by_its_id() {
        let text = written(&letter());
        for part in [
            "From: Acme <annals@house.test>\r\n",
            "To: ada@acme.test\r\n",
            "Message-ID: <00000000-0000-0000-0000-000000000000@house.test>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "Accept:\r\nhttp://annals.test/accept?a=1&b=2#token=t\r\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_people_wrote_is_no_markup_and_no_template() {
        let text = written(&letter());
        let (_, html) = text.split_once("text/html").unwrap();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("{{ link }}") && html.contains("Ada &amp; Co"), "{html}");
        assert!(html.contains("a=1&amp;b=2#token=t\""), "{html}");
    }

    #[test]
    fn a_letter_fetches_nothing_when_it_is_read() {
        let text = written(&Letter { action: None, ..letter() });
        let (_, html) = text.split_once("text/html").unwrap();
        for sign in ["http://annals", "fonts.googleapis", "@import", "<img", "src="] {
            assert!(!html.contains(sign), "{sign}: {html}");
        }
    }

    #[test]
    fn a_letter_to_no_address_is_not_written() {
        let nowhere = Letter { to: "nobody".into(), ..letter() };
        let from = "annals@house.test".parse().unwrap();
        let ends = Ends { sender: "Acme", from: &from, reply_to: None };
        assert!(nowhere.message(Uuid::nil(), &ends).is_err());
        let unsubscribe = Some("http://a.test/\r\nBcc: b@evil.test".into());
        assert!(Letter { unsubscribe, ..letter() }.message(Uuid::nil(), &ends).is_err());
    }
}
