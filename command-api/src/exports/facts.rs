//! The template that a request for a file names, read with the version that the append will check.

use events::exports::export::{Command, Export, Facts};
use events::exports::template::Template;
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Export> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        _: &Export,
        command: &Command,
    ) -> Result<Self, Problem> {
        let mut facts = Self::default();
        // One command of many; the others lean on nothing.
        if let Command::Request(request) = command
            && let Some(id) = request.wishes.template_id
        {
            let template = sources.now::<Template>(&id.to_string()).await?;
            facts.template = Some(template.state.status);
        }
        Ok(facts)
    }
}
