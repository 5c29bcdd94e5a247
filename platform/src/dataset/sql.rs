//! Questions to datasets as SQL: names come from the catalogue, everything else is bound.

use events::UserId;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use uuid::Uuid;

use super::cursor::Cursor;
use super::filter::{Comparison, Filter, Operator, Value};
use super::query::{Query, Sort, names};
use super::{Column, Dataset, Kind, Refused};

/// SQL with the values that belong to `$1`, `$2` and so on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// The values.
    pub binds: Vec<Bind>,
}

/// One bound value.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the Postgres type that its name says")]
pub enum Bind {
    Text(Option<String>),
    Texts(Vec<String>),
    Id(Uuid),
    Integer(i64),
    Boolean(bool),
    Time(Timestamp),
}

impl Statement {
    /// Adds a value and answers its number.
    pub fn bind(&mut self, value: Bind) -> usize {
        self.binds.push(value);
        self.binds.len()
    }

    /// The values, ready for `sqlx::query_with`.
    pub fn arguments(&self) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        for bind in &self.binds {
            match bind {
                Bind::Text(value) => arguments.add(value),
                Bind::Texts(value) => arguments.add(value),
                Bind::Id(value) => arguments.add(value),
                Bind::Integer(value) => arguments.add(value),
                Bind::Boolean(value) => arguments.add(value),
                Bind::Time(value) => arguments.add(value.to_sqlx()),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }

    pub(super) fn push(&mut self, text: &str) {
        self.sql.push_str(text);
    }
}

/// Every row that the question selects, in order, one SQL column per field with its own type.
pub fn select(dataset: &Dataset, query: &Query) -> Statement {
    let mut statement = filtered(dataset, query, &columns(&query.fields));
    order_by(&mut statement, &query.sort, false);
    statement
}

/// One page: per row its fields, then its place in the order; read them with [`super::rows`]. One row more than `limit` is
/// selected, to know whether there is a further page. With a cursor that goes back the rows come in reverse.
pub fn page(dataset: &Dataset, query: &Query, after: Option<&Cursor>, limit: u32) -> Statement {
    let keys = query.sort.iter().enumerate();
    let keys = keys.map(|(index, key)| format!(", t.\"{}\" as \"#{index}\"", key.column.key));
    let fields = columns(&query.fields);
    let mut statement = filtered(dataset, query, &(fields + &keys.collect::<String>()));
    if let Some(cursor) = after {
        statement.push(" and ");
        beyond(&mut statement, &query.sort, cursor);
    }
    order_by(&mut statement, &query.sort, after.is_some_and(|cursor| cursor.back));
    statement.push(&format!(" limit {}", limit.saturating_add(1)));
    statement
}

/// One row, or none: its fields, then the version of its aggregate as `#version`.
pub fn one(dataset: &Dataset, query: &Query) -> Statement {
    let version = dataset.column("version").map_or("null::bigint", |_| "t.\"version\"");
    let what = format!("{}, {version} as \"#version\"", columns(&query.fields));
    let mut statement = filtered(dataset, query, &what);
    statement.push(" limit 1");
    statement
}

/// As many rows without content as the question selects; for the planner's estimate.
pub fn matching(dataset: &Dataset, query: &Query) -> Statement {
    filtered(dataset, query, "1")
}

/// How many rows the question selects.
pub fn count(dataset: &Dataset, query: &Query) -> Statement {
    filtered(dataset, query, "count(*)")
}

fn columns(fields: &[&Column]) -> String {
    let quoted = fields.iter().map(|column| format!("t.\"{}\"", column.key));
    quoted.collect::<Vec<_>>().join(", ")
}

pub(super) fn filtered(dataset: &Dataset, query: &Query, what: &str) -> Statement {
    let mut statement = query.condition.clone();
    let condition = if statement.sql.is_empty() { "true" } else { &statement.sql };
    statement.sql = format!("select {what} from {} t where {condition}", dataset.table);
    if let Some(user) = query.owner {
        let number = statement.bind(Bind::Id(user.0));
        let owner = dataset.owner.as_ref().map(|owner| owner.is(number, query.with_shared));
        statement.push(&format!(" and {}", owner.as_deref().unwrap_or("false")));
    }
    statement
}

fn order_by(statement: &mut Statement, sort: &[Sort], reverse: bool) {
    let keys = sort.iter().map(|key| {
        let direction = if key.descending == reverse { "asc" } else { "desc" };
        format!("t.\"{}\" {direction}", key.column.key)
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    statement.push(&format!(" order by {keys}"));
}

/// The rows that come after the cursor. Nothing (null) counts as greater than anything, as Postgres orders it.
fn beyond(statement: &mut Statement, sort: &[Sort], cursor: &Cursor) {
    let mut places = Vec::with_capacity(sort.len());
    for (key, value) in sort.iter().zip(&cursor.keys) {
        let number = statement.bind(Bind::Text(value.clone()));
        places.push(Place {
            column: format!("t.\"{}\"", key.column.key),
            value: format!("${number}::text::{}", cast(key.column.kind)),
            ascending: key.descending == cursor.back,
            nullable: key.column.nullable,
            is_null: value.is_none(),
        });
    }
    let uniform = places.iter().all(|p| p.ascending == places[0].ascending && !p.nullable);
    if uniform && !places.is_empty() {
        let left: Vec<_> = places.iter().map(|place| place.column.as_str()).collect();
        let right: Vec<_> = places.iter().map(|place| place.value.as_str()).collect();
        let symbol = if places[0].ascending { '>' } else { '<' };
        statement.push(&format!("({}) {symbol} ({})", left.join(", "), right.join(", ")));
        return;
    }
    let alternatives = (0..places.len()).map(|index| {
        let equal = places[..index].iter().map(Place::equal);
        equal.chain([places[index].greater()]).collect::<Vec<_>>().join(" and ")
    });
    let alternatives = alternatives.collect::<Vec<_>>().join(" or ");
    statement.push(&format!("({alternatives})"));
}

/// One key of the order at the cursor.
struct Place {
    column: String,
    value: String,
    ascending: bool,
    nullable: bool,
    is_null: bool,
}

impl Place {
    fn equal(&self) -> String {
        if self.is_null {
            return format!("{} is null", self.column);
        }
        format!("{} = {}", self.column, self.value)
    }

    fn greater(&self) -> String {
        let Self { column, value, .. } = self;
        match (self.ascending, self.is_null, self.nullable) {
            (true, true, _) => "false".to_owned(),
            (true, false, true) => format!("({column} > {value} or {column} is null)"),
            (true, false, false) => format!("{column} > {value}"),
            (false, true, _) => format!("{column} is not null"),
            (false, false, _) => format!("{column} < {value}"),
        }
    }
}

fn cast(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Id => "uuid",
        Kind::Integer => "bigint",
        Kind::Boolean => "boolean",
        Kind::Time => "timestamptz",
        Kind::List | Kind::Json => "jsonb",
    }
}

/// A filter as a condition on the table `t`, asked by somebody at a moment.
pub(super) fn condition(
    dataset: &Dataset,
    filter: &Filter,
    (me, now): (Option<UserId>, Timestamp),
) -> Result<Statement, Refused> {
    let mut builder = Builder { dataset, me, now, statement: Statement::default() };
    builder.filter(filter)?;
    Ok(builder.statement)
}

struct Builder<'a> {
    dataset: &'a Dataset,
    me: Option<UserId>,
    now: Timestamp,
    statement: Statement,
}

impl Builder<'_> {
    fn filter(&mut self, filter: &Filter) -> Result<(), Refused> {
        match filter {
            Filter::All(parts) => self.joined(parts, " and "),
            Filter::Any(parts) => self.joined(parts, " or "),
            Filter::Not(inner) => {
                self.statement.push("(");
                self.filter(inner)?;
                self.statement.push(" is not true)"); // so that nothing (null) counts as false
                Ok(())
            }
            Filter::Is(comparison) => self.comparison(comparison),
        }
    }

    fn joined(&mut self, parts: &[Filter], word: &str) -> Result<(), Refused> {
        self.statement.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.statement.push(word);
            }
            self.filter(part)?;
        }
        self.statement.push(")");
        Ok(())
    }

    fn comparison(&mut self, comparison: &Comparison) -> Result<(), Refused> {
        let refused = |detail: String| Refused::filter(comparison.at.0, detail);
        let (name, way) =
            comparison.path.split_first().map_or(("", &[][..]), |(name, way)| (name.as_str(), way));
        let column = self.dataset.column(name).filter(|column| column.filterable);
        let column = column.ok_or_else(|| {
            let known = names(self.dataset);
            refused(format!("there is no column `{name}` to filter by; there are {known}"))
        })?;
        if !way.is_empty() && column.kind != Kind::Json {
            return Err(refused(format!("`{name}` has nothing inside it")));
        }
        let target = Target { column, way, operator: comparison.operator };
        let pattern = match &comparison.value {
            Value::Present => return self.presence(&target).map_err(refused),
            Value::Me => {
                let me = self.me.ok_or_else(|| refused("me() needs a user".into()))?;
                Pattern { text: me.to_string(), open_start: false, open_end: false }
            }
            Value::Text { text, open_start, open_end } => Pattern {
                text: text.replace('\0', ""), // Postgres has no such letter
                open_start: *open_start,
                open_end: *open_end,
            },
        };
        self.compare(&target, &pattern).map_err(refused)
    }

    fn presence(&mut self, target: &Target<'_>) -> Result<(), String> {
        let left = self.left(target);
        let test = match target.operator {
            Operator::Has | Operator::Equal => "is not null",
            Operator::NotEqual => "is null",
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                return Err("a star alone is not smaller or greater".into());
            }
        };
        self.statement.push(&format!("({left} {test})"));
        Ok(())
    }

    /// The column, or the text at the end of the way into it.
    fn left(&mut self, target: &Target<'_>) -> String {
        let column = format!("t.\"{}\"", target.column.key);
        if target.way.is_empty() {
            return column;
        }
        let number = self.statement.bind(Bind::Texts(target.way.to_vec()));
        format!("({column}::jsonb #>> ${number})")
    }

    fn compare(&mut self, target: &Target<'_>, pattern: &Pattern) -> Result<(), String> {
        match target.column.kind {
            Kind::Text => self.text(target, pattern),
            Kind::Json if !target.way.is_empty() => self.text(target, pattern),
            Kind::Json => self.json(target, pattern),
            Kind::List => self.list(target, pattern),
            Kind::Id | Kind::Integer | Kind::Boolean | Kind::Time => {
                let bind = self.typed(target.column, pattern)?;
                if target.column.kind == Kind::Boolean && target.operator.orders() {
                    return Err(format!("`{}` is true or false, not more", target.column.key));
                }
                let number = self.statement.bind(bind);
                let left = self.left(target);
                self.plain(&left, target.operator, number);
                Ok(())
            }
        }
    }

    fn plain(&mut self, left: &str, operator: Operator, number: usize) {
        let symbol = match operator {
            Operator::Equal | Operator::Has => "=",
            Operator::NotEqual => "is distinct from",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        };
        self.statement.push(&format!("({left} {symbol} ${number})"));
    }

    fn text(&mut self, target: &Target<'_>, pattern: &Pattern) -> Result<(), String> {
        let left = self.left(target);
        let open = pattern.open_start || pattern.open_end;
        if open && target.operator.orders() {
            return Err("a value with a star is not smaller or greater".into());
        }
        match (target.operator, open) {
            (Operator::Has, _) => {
                let like = Bind::Text(Some(format!("%{}%", escaped(&pattern.text))));
                let number = self.statement.bind(like);
                self.statement.push(&format!("({left} ilike ${number})"));
            }
            (Operator::NotEqual, true) => {
                let number = self.statement.bind(pattern.like());
                self.statement.push(&format!("(({left} like ${number}) is not true)"));
            }
            (_, true) => {
                let number = self.statement.bind(pattern.like());
                self.statement.push(&format!("({left} like ${number})"));
            }
            (operator, false) => {
                let number = self.statement.bind(Bind::Text(Some(pattern.text.clone())));
                self.plain(&left, operator, number);
            }
        }
        Ok(())
    }

    fn list(&mut self, target: &Target<'_>, pattern: &Pattern) -> Result<(), String> {
        let left = self.left(target);
        let not = match target.operator {
            Operator::Has | Operator::Equal => "",
            Operator::NotEqual => " is not true",
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => return Err("a list is not smaller or greater".into()),
        };
        if pattern.open_start || pattern.open_end {
            let number = self.statement.bind(pattern.like());
            let each = format!("jsonb_array_elements_text({left}) e");
            let any = format!("exists (select from {each} where e like ${number})");
            self.statement.push(&format!("({any}{not})"));
        } else {
            let number = self.statement.bind(Bind::Text(Some(pattern.text.clone())));
            let holds = target.column.rows.map(|rows| rows.holds(self.dataset, number));
            let holds = holds.unwrap_or_else(|| format!("jsonb_exists({left}, ${number})"));
            self.statement.push(&format!("({holds}{not})"));
        }
        Ok(())
    }

    fn json(&mut self, target: &Target<'_>, pattern: &Pattern) -> Result<(), String> {
        let key = target.column.key;
        if target.operator != Operator::Has || pattern.open_start || pattern.open_end {
            return Err(format!(
                "`{key}` is asked for a member with `{key}:name` or `{key}.name=…`"
            ));
        }
        let left = self.left(target);
        let number = self.statement.bind(Bind::Text(Some(pattern.text.clone())));
        self.statement.push(&format!("jsonb_exists({left}::jsonb, ${number})"));
        Ok(())
    }

    fn typed(&self, column: &Column, pattern: &Pattern) -> Result<Bind, String> {
        let key = column.key;
        if pattern.open_start || pattern.open_end {
            return Err(format!("`{key}` takes no star beside other letters"));
        }
        let text = pattern.text.as_str();
        let bad = |what: &str| format!("`{text}` is not {what}, which `{key}` is");
        match column.kind {
            Kind::Id => Uuid::parse_str(text).map(Bind::Id).map_err(|_| bad("an id")),
            Kind::Integer => integer(key, text).map(Bind::Integer).ok_or_else(|| bad("a number")),
            Kind::Boolean => text.parse().map(Bind::Boolean).map_err(|_| bad("true or false")),
            Kind::Time => moment(text, self.now)
                .map(Bind::Time)
                .ok_or_else(|| bad("a time (RFC 3339, a date, now, now-7d)")),
            Kind::Text | Kind::List | Kind::Json => Ok(Bind::Text(Some(text.to_owned()))),
        }
    }
}

impl Operator {
    fn orders(self) -> bool {
        match self {
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => true,
            Self::Equal | Self::NotEqual | Self::Has => false,
        }
    }
}

/// What a comparison looks at.
struct Target<'a> {
    column: &'static Column,
    way: &'a [String],
    operator: Operator,
}

/// A text with what may stand around it.
struct Pattern {
    text: String,
    open_start: bool,
    open_end: bool,
}

impl Pattern {
    fn like(&self) -> Bind {
        let star = |open: bool| if open { "%" } else { "" };
        let middle = escaped(&self.text);
        Bind::Text(Some(format!("{}{middle}{}", star(self.open_start), star(self.open_end))))
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// A whole number, or a duration where the column's name ends in a unit of time.
fn integer(key: &str, text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let seconds = duration(text)?;
    if key.ends_with("_ms") {
        return seconds.checked_mul(1000);
    }
    key.ends_with("_seconds").then_some(seconds)
}

/// `15m` in seconds.
fn duration(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number >= 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    number.checked_mul(seconds)
}

/// A moment as filters write it: RFC 3339, a date (its first moment in UTC), `now`, `now-7d`, `now+1h`.
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(shift) = text.strip_prefix("now") {
        if shift.is_empty() {
            return Some(now);
        }
        let sign = match shift.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let seconds = duration(&shift[1..])?.checked_mul(sign)?;
        return now.checked_add(SignedDuration::from_secs(seconds)).ok();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let date: Date = text.parse().ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
