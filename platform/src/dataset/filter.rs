//! The filter grammar: a subset of AIP-160 as text, as a tree, and as text again.

use std::fmt::{self, Display, Write as _};

use super::Refused;

/// Longest filter in bytes.
pub const MAX_BYTES: usize = 2048;
/// Deepest nesting of parentheses and negations.
pub const MAX_DEPTH: usize = 8;
/// Most comparisons.
pub const MAX_TERMS: usize = 50;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them hold.
    All(Vec<Self>),
    /// At least one of them holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// One column compared with one value.
    Is(Comparison),
}

/// One column compared with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The column, and for a JSON column the way into it.
    pub path: Vec<String>,
    /// How they are compared.
    pub operator: Operator,
    /// With what.
    pub value: Value,
    /// Where it was written.
    pub at: At,
}

impl Comparison {
    /// That a column is a value; of our own making, so it is written nowhere.
    pub fn equal(column: &str, value: Value) -> Self {
        Self { path: vec![column.to_owned()], operator: Operator::Equal, value, at: At(1) }
    }
}

/// A place in a text, in characters from 1; not part of what a filter means, so two places are always equal.
#[derive(Debug, Clone, Copy)]
pub struct At(pub usize);

impl PartialEq for At {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for At {}

/// How a column and a value are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`, which means contains.
    Has,
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Has => ":",
        }
    }
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text; what it means depends on the column (a number, a time, `now-7d`).
    Text {
        /// The text without its stars.
        text: String,
        /// Whether anything may stand before it.
        open_start: bool,
        /// Whether anything may stand after it.
        open_end: bool,
    },
    /// `*`: any value at all.
    Present,
    /// `me()`: the caller's id.
    Me,
}

impl Value {
    /// A text as it is.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), open_start: false, open_end: false }
    }
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<Filter, Refused> {
    if text.len() > MAX_BYTES {
        return Err(Refused::filter(1, format!("the filter is longer than {MAX_BYTES} bytes"))
            .code("FILTER_TOO_LONG"));
    }
    let mut parser = Parser { text, at: 0, terms: 0, mixed: None };
    let filter = parser.any(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.unexpected(&["AND", "OR", "end of filter"]));
    }
    match parser.mixed {
        None => Ok(filter),
        Some(column) => {
            Err(Refused::filter(column, "AND and OR stand beside each other without parentheses")
                .code("FILTER_MIXED")
                .suggestion(filter.to_string()))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    terms: usize,
    /// Where AND and OR were mixed first.
    mixed: Option<usize>,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<Filter, Refused> {
        let (first, mut joined) = self.all(depth)?;
        let mut parts = vec![first];
        let start = self.at;
        while self.keyword("OR") {
            let (part, also) = self.all(depth)?;
            joined |= also;
            parts.push(part);
        }
        if parts.len() > 1 && joined {
            let column = self.column_of(start);
            self.mixed.get_or_insert(column);
        }
        Ok(one_or(parts, Filter::Any))
    }

    /// A run of AND, and whether it has more than one part.
    fn all(&mut self, depth: usize) -> Result<(Filter, bool), Refused> {
        let mut parts = vec![self.term(depth)?];
        while self.keyword("AND") {
            parts.push(self.term(depth)?);
        }
        let joined = parts.len() > 1;
        Ok((one_or(parts, Filter::All), joined))
    }

    fn term(&mut self, depth: usize) -> Result<Filter, Refused> {
        if depth > MAX_DEPTH {
            return Err(self
                .refused(format!("the filter is nested deeper than {MAX_DEPTH}"))
                .code("FILTER_TOO_DEEP"));
        }
        if self.keyword("NOT") || self.symbol("-") {
            return Ok(Filter::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.symbol("(") {
            let inner = self.any(depth + 1)?;
            if !self.symbol(")") {
                return Err(self.unexpected(&[")", "AND", "OR"]));
            }
            return Ok(inner);
        }
        self.comparison().map(Filter::Is)
    }

    fn comparison(&mut self) -> Result<Comparison, Refused> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self
                .refused(format!("the filter has more than {MAX_TERMS} comparisons"))
                .code("FILTER_TOO_MANY_TERMS"));
        }
        self.space();
        let at = At(self.column_of(self.at));
        let path = self.path()?;
        let operator = self.operator()?;
        let value = self.value()?;
        Ok(Comparison { path, operator, value, at })
    }

    fn path(&mut self) -> Result<Vec<String>, Refused> {
        let mut path = Vec::new();
        loop {
            let name: String = self.rest().chars().take_while(|c| is_name(*c)).collect();
            if name.is_empty() {
                return Err(self.unexpected(&["a column", "NOT", "-", "("]));
            }
            self.at += name.len();
            path.push(name);
            if !self.rest().starts_with('.') {
                return Ok(path);
            }
            self.at += 1;
        }
    }

    fn operator(&mut self) -> Result<Operator, Refused> {
        // Longer symbols come first, so that `<=` is not read as `<`.
        const ORDER: [Operator; 7] = [
            Operator::NotEqual,
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::Equal,
            Operator::Less,
            Operator::Greater,
            Operator::Has,
        ];
        let found = ORDER.into_iter().find(|operator| self.symbol(operator.symbol()));
        found.ok_or_else(|| self.unexpected(&["=", "!=", "<", "<=", ">", ">=", ":"]))
    }

    fn value(&mut self) -> Result<Value, Refused> {
        self.space();
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(first) if is_bare(first) => self.bare(),
            _ => Err(self.unexpected(&["a value", "a quoted value", "*", "me()"])),
        }
    }

    fn bare(&mut self) -> Result<Value, Refused> {
        let start = self.at;
        let word: String = self.rest().chars().take_while(|c| is_bare(*c)).collect();
        self.at += word.len();
        if self.rest().starts_with('(') {
            return self.call(&word, start);
        }
        let letters = word.chars().map(|c| (c, c == '*')).collect();
        self.pattern(letters, start)
    }

    fn call(&mut self, name: &str, start: usize) -> Result<Value, Refused> {
        if name == "me" && self.rest().starts_with("()") {
            self.at += 2;
            return Ok(Value::Me);
        }
        self.at = start;
        if name == "team" {
            let detail = "there are no teams yet; name the users, or compare with the unit or role \
                          that they share";
            return Err(self.refused(detail.to_owned()));
        }
        Err(self.unexpected(&["a value", "me()"]))
    }

    fn quoted(&mut self, quote: char) -> Result<Value, Refused> {
        let start = self.at;
        let mut letters = Vec::new();
        let mut rest = self.rest().char_indices().skip(1);
        while let Some((index, letter)) = rest.next() {
            match letter {
                '\\' => match rest.next() {
                    Some((_, escaped)) => letters.push((escaped, false)),
                    None => break,
                },
                end if end == quote => {
                    self.at = start + index + end.len_utf8();
                    return self.pattern(letters, start);
                }
                other => letters.push((other, other == '*')),
            }
        }
        self.at = self.text.len();
        Err(self.unexpected(&[if quote == '"' { "\"" } else { "'" }]))
    }

    /// A value from letters, each with whether it is a star that stands for anything.
    fn pattern(&self, mut letters: Vec<(char, bool)>, start: usize) -> Result<Value, Refused> {
        let open_start = letters.first().is_some_and(|letter| letter.1);
        let open_end = letters.last().is_some_and(|letter| letter.1);
        if open_end {
            letters.pop();
        }
        if open_start && !letters.is_empty() {
            letters.remove(0);
        }
        if letters.iter().any(|letter| letter.1) {
            let detail = "a star stands only at the start or the end of a value; \
                          write \\* in quotes for the letter itself";
            return Err(Refused::filter(self.column_of(start), detail));
        }
        let text: String = letters.into_iter().map(|letter| letter.0).collect();
        if text.is_empty() && (open_start || open_end) {
            return Ok(Value::Present);
        }
        Ok(Value::Text { text, open_start, open_end })
    }

    fn keyword(&mut self, word: &str) -> bool {
        self.space();
        let ends = |rest: &str| !rest.chars().next().is_some_and(|c| is_name(c) || c == '.');
        match self.rest().strip_prefix(word) {
            Some(rest) if ends(rest) => {
                self.at += word.len();
                true
            }
            _ => false,
        }
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn column_of(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }

    fn refused(&self, detail: String) -> Refused {
        Refused::filter(self.column_of(self.at), detail)
    }

    fn unexpected(&self, expected: &[&'static str]) -> Refused {
        let found = match self.rest().chars().next() {
            Some(letter) => format!("`{letter}`"),
            None => "the end".to_owned(),
        };
        self.refused(format!("found {found} where {} should stand", expected.join(" or ")))
            .expected(expected)
    }
}

fn one_or(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            join(parts)
        }
    }
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_bare(letter: char) -> bool {
    !letter.is_whitespace() && !matches!(letter, '(' | ')' | ',' | '"' | '\'')
}

impl Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " AND "),
            Self::Any(parts) => joined(f, parts, " OR "),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                inner.fmt_inside(f)
            }
            Self::Is(comparison) => comparison.fmt(f),
        }
    }
}

impl Filter {
    /// A comparison that is added to what the caller asks.
    pub fn equals(column: &str, value: impl Into<String>) -> Self {
        Self::Is(Comparison::equal(column, Value::text(value)))
    }

    /// As a part of something larger: whatever joins is put into parentheses.
    fn fmt_inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(_) | Self::Any(_) => write!(f, "({self})"),
            Self::Not(_) | Self::Is(_) => self.fmt(f),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        part.fmt_inside(f)?;
    }
    Ok(())
}

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.path.join("."), self.operator.symbol(), self.value)
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Me => f.write_str("me()"),
            Self::Present => f.write_char('*'),
            Self::Text { text, open_start, open_end } => {
                let quoted = needs_quotes(text);
                let mark = if quoted { "\"" } else { "" };
                let star = |open: &bool| if *open { "*" } else { "" };
                write!(f, "{mark}{}", star(open_start))?;
                for letter in text.chars() {
                    if matches!(letter, '"' | '\\' | '*') {
                        f.write_char('\\')?;
                    }
                    f.write_char(letter)?;
                }
                write!(f, "{}{mark}", star(open_end))
            }
        }
    }
}

fn needs_quotes(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:+@/".contains(c);
    text.is_empty() || !text.chars().all(plain) || matches!(text, "AND" | "OR" | "NOT")
}
