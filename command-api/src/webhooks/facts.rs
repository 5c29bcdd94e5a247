//! What a decision on an address that hears of events needs to know besides.

use events::webhooks::endpoint::{Command, Endpoint, Facts};
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Endpoint> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        _: &Endpoint,
        command: &Command,
    ) -> Result<Self, Problem> {
        let endpoints = match command {
            Command::Register(_) => {
                let all = sources.all::<Endpoint>().await?;
                all.iter().filter(|(_, endpoint)| endpoint.is_there()).count()
            }
            Command::Revise(_)
            | Command::RotateSecret(_)
            | Command::Disable
            | Command::Enable
            | Command::SendTest
            | Command::Redeliver(_)
            | Command::Delete
            | Command::DeadLetter(_)
            | Command::Report(_) => 0,
        };
        Ok(Self { loopback: sources.app.settings.loopback_webhooks, endpoints })
    }
}
