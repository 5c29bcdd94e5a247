//! What it takes to complete a task, and whether what was found out is enough.

use std::collections::BTreeSet;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CHECKLIST_MAX_COUNT, CRITERIA_MAX_COUNT, Event, LABEL_MAX_CHARS, PHOTOS_MAX_COUNT, Rejection,
    Task, VALUE_MAX_CHARS,
};
use crate::decimal::Decimal;
use crate::text;

/// What it takes to complete a task, besides its mandatory subtasks and the tasks before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// What is ticked off.
    #[serde(default)]
    pub checklist: Vec<Item>,
    /// How many pictures have to show what was done.
    #[serde(default)]
    pub photos_min: u32,
    /// What is found out.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    /// Whether everybody who is assigned has to say that it is done.
    #[serde(default)]
    pub all_assignees_confirm: bool,
    /// Whether every subtask has to be done, also those that are not mandatory.
    #[serde(default)]
    pub subtasks_required: bool,
}

/// Something to tick off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its id, which is its own among all requirements of the task.
    pub id: Uuid,
    /// What is to be done.
    pub text: String,
    /// Whether the task is not done without it.
    #[serde(default = "yes")]
    pub mandatory: bool,
}

/// Something to find out; the task is not done unless it is as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its id, which is its own among all requirements of the task.
    pub id: Uuid,
    /// What is asked.
    pub label: String,
    /// What is recorded.
    #[serde(rename = "type")]
    pub kind: ValueKind,
    /// How it has to compare to the value; absent where anything will do, or where it has to be just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// What it has to compare to; absent where anything will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// What a criterion records.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ValueKind {
    /// Yes or no: `true` or `false`.
    #[default]
    Bool,
    /// A number, as a text such as `-12.5`.
    Number,
    /// A line.
    Text,
}

/// How a value has to compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// The same; texts whatever their case.
    #[default]
    Eq,
    /// Another.
    Ne,
    /// A smaller number.
    Lt,
    /// A number not larger.
    Lte,
    /// A larger number.
    Gt,
    /// A number not smaller.
    Gte,
    /// A text that holds it, whatever their case.
    Contains,
}

/// Yes or no, or a text; numbers are texts, so that no reader makes floats of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A text, or a number.
    Text(String),
}

/// A number with a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Signed {
    /// Below zero, the nearer the larger.
    Below(std::cmp::Reverse<Decimal>),
    /// Zero or above.
    Above(Decimal),
}

fn yes() -> bool {
    true
}

impl FromStr for Signed {
    type Err = crate::decimal::NoDecimal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(rest) = text.strip_prefix('-') else { return text.parse().map(Self::Above) };
        let number: Decimal = rest.parse()?;
        let is_zero = number == Decimal::default();
        Ok(if is_zero { Self::Above(number) } else { Self::Below(std::cmp::Reverse(number)) })
    }
}

impl std::fmt::Display for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Below(number) => write!(f, "-{}", number.0),
            Self::Above(number) => number.fmt(f),
        }
    }
}

impl Value {
    /// The value in its usual spelling, if it is of the kind.
    fn checked(self, kind: ValueKind) -> Option<Self> {
        match (kind, self) {
            (ValueKind::Bool, Self::Bool(it)) => Some(Self::Bool(it)),
            (ValueKind::Number, Self::Text(number)) => {
                let number: Signed = number.trim().parse().ok()?;
                Some(Self::Text(number.to_string()))
            }
            (ValueKind::Text, Self::Text(it)) => {
                text::line(&it, VALUE_MAX_CHARS).ok().map(Self::Text)
            }
            (ValueKind::Bool, Self::Text(_))
            | (ValueKind::Number | ValueKind::Text, Self::Bool(_)) => None,
        }
    }
}

impl Criterion {
    /// Whether it asks for the same: what was found out then is still an answer.
    fn asks_as(&self, other: &Self) -> bool {
        (&self.label, self.kind) == (&other.label, other.kind)
    }

    fn checked(self) -> Result<Self, Rejection> {
        let id = self.id;
        let invalid = || Rejection::CriterionInvalid(id);
        let label = text::line(&self.label, LABEL_MAX_CHARS).map_err(Rejection::LabelInvalid)?;
        let asked = self.value.is_some();
        let value = match self.value {
            Some(value) => Some(value.checked(self.kind).ok_or_else(invalid)?),
            None => None,
        };
        let fits = match (self.kind, self.op) {
            (_, None) => true,
            (ValueKind::Bool, Some(Op::Eq | Op::Ne))
            | (ValueKind::Number, Some(Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte))
            | (ValueKind::Text, Some(Op::Eq | Op::Ne | Op::Contains)) => asked,
            (ValueKind::Bool, Some(Op::Lt | Op::Lte | Op::Gt | Op::Gte | Op::Contains))
            | (ValueKind::Number, Some(Op::Contains))
            | (ValueKind::Text, Some(Op::Lt | Op::Lte | Op::Gt | Op::Gte)) => false,
        };
        if fits { Ok(Self { label, value, ..self }) } else { Err(invalid()) }
    }

    /// Whether what was found out is as it should be.
    pub fn is_met_by(&self, found: &Value) -> bool {
        let Some(wanted) = &self.value else { return true };
        let op = self.op.unwrap_or_default();
        match (found, wanted) {
            (Value::Bool(found), Value::Bool(wanted)) => compares(op, found, wanted),
            (Value::Text(found), Value::Text(wanted)) if self.kind == ValueKind::Number => {
                match (found.parse::<Signed>(), wanted.parse::<Signed>()) {
                    (Ok(found), Ok(wanted)) => compares(op, &found, &wanted),
                    (Err(_), _) | (_, Err(_)) => false,
                }
            }
            (Value::Text(found), Value::Text(wanted)) => {
                let (found, wanted) = (text::fold(found), text::fold(wanted));
                match op {
                    Op::Contains => found.contains(&wanted),
                    Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte => {
                        compares(op, &found, &wanted)
                    }
                }
            }
            (Value::Bool(_), Value::Text(_)) | (Value::Text(_), Value::Bool(_)) => false,
        }
    }
}

fn compares<T: Ord>(op: Op, found: &T, wanted: &T) -> bool {
    match op {
        Op::Eq => found == wanted,
        Op::Ne => found != wanted,
        Op::Lt => found < wanted,
        Op::Lte => found <= wanted,
        Op::Gt => found > wanted,
        Op::Gte => found >= wanted,
        // Texts alone hold one another.
        Op::Contains => false,
    }
}

impl Requirements {
    /// Requirements in their usual spelling, if a task can have them; plans ask the same of what their tasks are to have.
    pub fn checked(self) -> Result<Self, Rejection> {
        if self.checklist.len() > CHECKLIST_MAX_COUNT {
            return Err(Rejection::ChecklistFull);
        }
        if self.criteria.len() > CRITERIA_MAX_COUNT {
            return Err(Rejection::CriteriaFull);
        }
        if usize::try_from(self.photos_min).is_ok_and(|least| least > PHOTOS_MAX_COUNT) {
            return Err(Rejection::PhotosMinInvalid);
        }
        let mut seen = BTreeSet::new();
        let ids = self.checklist.iter().map(|item| item.id);
        for id in ids.chain(self.criteria.iter().map(|criterion| criterion.id)) {
            if !seen.insert(id) {
                return Err(Rejection::RequiredTwice(id));
            }
        }
        let item = |item: Item| {
            let text = text::line(&item.text, LABEL_MAX_CHARS).map_err(Rejection::ItemInvalid)?;
            Ok(Item { text, ..item })
        };
        let checklist = self.checklist.into_iter().map(item).collect::<Result<_, Rejection>>()?;
        let criteria = self.criteria.into_iter().map(Criterion::checked);
        Ok(Self { checklist, criteria: criteria.collect::<Result<_, _>>()?, ..self })
    }

    /// The item of that id.
    pub fn item(&self, id: Uuid) -> Option<&Item> {
        self.checklist.iter().find(|item| item.id == id)
    }

    /// The criterion of that id.
    pub fn criterion(&self, id: Uuid) -> Option<&Criterion> {
        self.criteria.iter().find(|criterion| criterion.id == id)
    }
}

impl Task {
    pub(super) fn define(&self, requirements: Requirements) -> Result<Vec<Event>, Rejection> {
        let requirements = requirements.checked()?;
        if requirements == self.requirements {
            return Ok(vec![]);
        }
        Ok(vec![Event::RequirementsDefined { requirements }])
    }

    /// What was done of what is asked no more, or otherwise than before, is not done.
    pub(super) fn redefine(&mut self, requirements: &Requirements) {
        let before = std::mem::replace(&mut self.requirements, requirements.clone());
        self.ticked.retain(|id| match (before.item(*id), requirements.item(*id)) {
            (Some(before), Some(now)) => before.text == now.text,
            (None, _) | (_, None) => false,
        });
        self.recorded.retain(|id, _| match (before.criterion(*id), requirements.criterion(*id)) {
            (Some(before), Some(now)) => before.asks_as(now),
            (None, _) | (_, None) => false,
        });
    }

    pub(super) fn tick(&self, item_id: Uuid, ticked: bool) -> Result<Vec<Event>, Rejection> {
        self.requirements.item(item_id).ok_or(Rejection::ItemUnknown)?;
        Ok(match (ticked, self.ticked.contains(&item_id)) {
            (true, false) => vec![Event::ChecklistTicked { item_id }],
            (false, true) => vec![Event::ChecklistUnticked { item_id }],
            (true, true) | (false, false) => vec![],
        })
    }

    pub(super) fn record(&self, criterion_id: Uuid, value: Value) -> Result<Vec<Event>, Rejection> {
        let criterion = self.requirements.criterion(criterion_id);
        let kind = criterion.ok_or(Rejection::CriterionUnknown)?.kind;
        let value = value.checked(kind).ok_or(Rejection::ValueInvalid(kind))?;
        if self.recorded.get(&criterion_id) == Some(&value) {
            return Ok(vec![]);
        }
        Ok(vec![Event::CriterionRecorded { criterion_id, value }])
    }
}
