//! What a message says, as far as anybody shows it: whoever wrote it may have meant harm.

use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use serde::Serialize;

/// The most characters of one line of a header; what follows is in the source.
const LINE_CHARS: usize = 1_000;
/// The most lines of the header, recipients, attachments and links each.
const LINES: usize = 200;

/// A message in the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    /// What it is called in addresses.
    pub(super) id: String,
    /// When the server took it.
    pub(super) received_at: Timestamp,
    /// Who it says it is from.
    pub(super) from: String,
    /// The addresses that it was sent to, whatever it says itself.
    pub(super) to: Vec<String>,
    /// What it is about.
    pub(super) subject: String,
    /// The size of its file in bytes.
    pub(super) size_bytes: u64,
}

/// A message as a page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Full {
    #[serde(flatten)]
    pub(super) summary: Summary,
    /// Its header, line by line, without line breaks.
    pub(super) headers: Vec<Line>,
    /// Its text, if it has one.
    pub(super) text: Option<String>,
    /// Its HTML, if it has some.
    pub(super) html: Option<String>,
    /// The addresses in its text, each once.
    pub(super) links: Vec<String>,
    /// The files that came with it.
    pub(super) attachments: Vec<Attachment>,
}

/// A line of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: String,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Attachment {
    /// What its sender calls it, without folders.
    pub(super) name: String,
    /// What its sender says it is.
    pub(super) media_type: String,
    /// Its size in bytes.
    pub(super) size_bytes: usize,
}

/// A piece of text.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Whether it is the address of a page.
    pub(super) is_link: bool,
}

impl Summary {
    /// Reads the beginning of a message.
    pub(super) fn read(id: String, received_at: Timestamp, size_bytes: u64, head: &[u8]) -> Self {
        let message = MessageParser::default().parse_headers(head).unwrap_or_default();
        // The server adds these last; a line of that name before is the sender's.
        let envelope = |name: &str| {
            let named = |(key, _): &(&str, &str)| key.eq_ignore_ascii_case(name);
            message.headers_raw().filter(named).last().map(|(_, value)| value)
        };
        let to = envelope("X-RcptTo").unwrap_or_default().split(',').map(line);
        let from = message.from().map(written).filter(|from| !from.is_empty());
        Self {
            id,
            received_at,
            from: from.unwrap_or_else(|| line(envelope("X-MailFrom").unwrap_or_default())),
            to: to.filter(|address| !address.is_empty()).take(LINES).collect(),
            subject: line(message.subject().unwrap_or_default()),
            size_bytes,
        }
    }

    /// Whether a recipient contains `to`, and anything of it `word`, in any case.
    pub(super) fn fits(&self, to: &str, word: &str) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let goes = |part: &str| part.is_empty() || self.to.iter().any(|to| has(to, part));
        goes(to.trim())
            && (goes(word.trim())
                || has(&self.from, word.trim())
                || has(&self.subject, word.trim()))
    }
}

impl Full {
    /// Reads a whole message.
    pub(super) fn read(summary: Summary, raw: &[u8]) -> Self {
        let message = MessageParser::default().parse(raw).unwrap_or_default();
        let headers = message.headers().iter().take(LINES).map(|header| {
            let bounds = header.offset_start() as usize..header.offset_end() as usize;
            let value = String::from_utf8_lossy(raw.get(bounds).unwrap_or_default());
            Line { name: line(header.name()), value: line(&value) }
        });
        let text = message.text_bodies().find_map(|part| {
            let PartType::Text(text) = &part.body else { return None };
            Some(text.replace("\r\n", "\n"))
        });
        let html = message.html_bodies().find_map(|part| {
            let PartType::Html(html) = &part.body else { return None };
            Some(html.clone().into_owned())
        });
        let mut links: Vec<String> = Vec::new();
        for piece in pieces(text.as_deref().unwrap_or_default()) {
            if piece.is_link && links.len() < LINES && !links.iter().any(|it| it == piece.text) {
                links.push(piece.text.to_owned());
            }
        }
        let attachments = message.attachments().take(LINES).map(Attachment::read).collect();
        Self { summary, headers: headers.collect(), text, html, links, attachments }
    }
}

impl Attachment {
    fn read(part: &MessagePart<'_>) -> Self {
        let name = line(part.attachment_name().unwrap_or_default());
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.trim_matches(['.', ' ']);
        let media_type = part.content_type().map_or_else(String::new, |it| {
            format!("{}/{}", it.ctype(), it.subtype().unwrap_or_default())
        });
        Self {
            name: if name.is_empty() { "attachment".into() } else { name.into() },
            media_type: line(&media_type),
            size_bytes: part.contents().len(),
        }
    }
}

/// What a file that came with a message is called, and what it holds.
pub(super) fn attachment(raw: &[u8], number: u32) -> Option<(String, Vec<u8>)> {
    let message: Message<'_> = MessageParser::default().parse(raw)?;
    let part = message.attachment(number)?;
    Some((Attachment::read(part).name, part.contents().to_vec()))
}

/// The addresses of pages in a text, and what stands between them.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = ["https://", "http://"].iter().filter_map(|it| rest.find(it)).min() {
        let (before, from) = rest.split_at(start);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "<>\"'`".contains(c);
        let address = &from[..from.find(ends).unwrap_or(from.len())];
        let address = address.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']);
        pieces.push(Piece { text: before, is_link: false });
        pieces.push(Piece { text: address, is_link: address.len() > "https://".len() });
        rest = &from[address.len()..];
    }
    pieces.push(Piece { text: rest, is_link: false });
    pieces
}

/// Names and addresses as they are written.
fn written(address: &Address<'_>) -> String {
    let people = address.iter().take(LINES).map(|person| {
        let address = person.address().unwrap_or_default();
        person.name().map_or_else(|| address.to_owned(), |name| format!("{name} <{address}>"))
    });
    line(&people.collect::<Vec<_>>().join(", "))
}

/// One line without control characters, also those that turn the direction of what follows, of a bounded length.
fn line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text: String = text
        .chars()
        .filter(|c| !turns(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LINE_CHARS)
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
