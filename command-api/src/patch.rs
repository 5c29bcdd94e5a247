//! A member of a merge patch (RFC 7396): absent, null or a value; only what is absent stays as it is.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// What was sent of a member that can be taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Patch<T> {
    /// Nothing.
    #[default]
    Absent,
    /// That there is none.
    Null,
    /// What it becomes.
    Value(T),
}

impl<T: Clone> Patch<T> {
    /// The command that the member asks for, if it asks for one.
    pub(crate) fn asks<C>(&self, command: impl FnOnce(Option<T>) -> C) -> Option<C> {
        match self {
            Self::Absent => None,
            Self::Null => Some(command(None)),
            Self::Value(value) => Some(command(Some(value.clone()))),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Option::deserialize(deserializer)?;
        Ok(sent.map_or(Self::Null, Self::Value))
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        Option::<T>::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Option::<T>::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        phone: Patch<String>,
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        let asks = |json: &str| serde_json::from_str::<Body>(json).unwrap().phone.asks(|it| it);
        assert_eq!(asks("{}"), None);
        assert_eq!(asks(r#"{"phone": null}"#), Some(None));
        assert_eq!(asks(r#"{"phone": "+41446681800"}"#), Some(Some("+41446681800".into())));
        assert!(serde_json::from_str::<Body>(r#"{"phone": 7}"#).is_err());
    }
}
