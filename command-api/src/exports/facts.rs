//! The template and the picture that a request for a file names, read with the versions that the append will check.

use events::exports::export::{Command, Export, Facts, Rejection, Request};
use events::exports::template::Template;
use events::exports::{Misprint, check_logo};
use events::files::file::File;
use platform::principal::Principal;
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};
use crate::refusal::refused;

impl LoadFacts<Export> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        _: &Export,
        command: &Command,
    ) -> Result<Self, Problem> {
        let mut facts = Self::default();
        // One command of many; the others lean on nothing.
        let Command::Request(request) = command else { return Ok(facts) };
        if let Some(id) = request.wishes.template_id {
            let template = sources.now::<Template>(&id.to_string()).await?;
            facts.template = Some(template.state.status);
        }
        logo(sources, request).await?;
        Ok(facts)
    }
}

/// Refuses a picture that pages cannot show, or that the requester may not read.
async fn logo(sources: &mut Sources<'_>, request: &Request) -> Result<(), Problem> {
    let Some(id) = request.wishes.layout.logo else { return Ok(()) };
    let file = sources.now::<File>(&id.to_string()).await?.state;
    let requester = Principal::somebody(sources.tenant, request.requested_by);
    let readable = sources.app.access.may_read(&requester, sources.standing, &file).await;
    check_logo(&file, readable.map_err(|error| Problem::internal(&error))?)
        .map_err(|unshown| refused(&Rejection::LayoutInvalid(Misprint::Logo(unshown))))
}
