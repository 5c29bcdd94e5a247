//! Why there is no file: for good, for nobody, or for now.

use super::render;

/// Why there is no file.
pub(super) enum Refusal {
    /// There never will be: code and message.
    For(&'static str, String),
    /// It is no longer wanted, or somebody else makes it.
    Stop,
    /// Perhaps later.
    Trouble(anyhow::Error),
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::Trouble(error)
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<render::Error> for Refusal {
    fn from(error: render::Error) -> Self {
        match error {
            render::Error::TooManyRows { .. } => Self::For("too_many_rows", error.to_string()),
            render::Error::TooManyColumns { .. } => {
                Self::For("too_many_columns", error.to_string())
            }
            render::Error::CellTooLong { .. } => Self::For("cell_too_long", error.to_string()),
            render::Error::Rows(error) => Self::Trouble(error),
            render::Error::Write(_)
            | render::Error::Workbook(_)
            | render::Error::Table(_)
            | render::Error::Font => Self::Trouble(error.into()),
        }
    }
}
