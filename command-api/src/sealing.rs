//! From a decision to the log: what is personal in it is sealed on the way, here and nowhere else.

use events::Decider as _;
use events::identity::organization::{Organization, Status};
use platform::access::check_at_work;
use platform::fold::Folded;
use platform::personal::NewKeys;
use platform::problem::Problem;
use uuid::Uuid;

use crate::app::App;
use crate::audit::line::Line;
use crate::log::{Append, Fact, Outcome};
use crate::pipeline::Ask;
use crate::refusal::lost;

impl App {
    /// Stores an append, what is personal in its events and around them sealed. Nothing is added to what an organisation left
    /// that was purged.
    pub(crate) async fn append(&self, ask: &Ask, mut append: Append) -> Result<Outcome, Problem> {
        let leaning = self.leaning(&append).await?;
        let tenant = append.tenant;
        let new = self.seal(ask, &mut append).await?;
        let line = Line::of(ask, &append);
        let outcome = match leaning {
            None => self.writer.append(append).await.map_err(|error| lost(&error))?,
            Some(known) => self.append_leaning(append, known).await?,
        };
        match &outcome {
            Outcome::Stored(stored) => {
                self.personal.kept_with_append(new);
                if let Some(line) = line {
                    line.write(ask, stored.last_position);
                }
            }
            // The keys may be what moved on.
            Outcome::StaleFact if !new.is_empty() => {
                self.personal.look_again(&self.pool, tenant, &new).await?;
            }
            Outcome::StaleFact
            | Outcome::Replayed { .. }
            | Outcome::KeyReused
            | Outcome::StaleVersion
            | Outcome::Claimed { .. } => {}
        }
        Ok(outcome)
    }

    /// Seals what is personal in an append; the keys are those that it has to keep.
    async fn seal(&self, ask: &Ask, append: &mut Append) -> Result<NewKeys, Problem> {
        let (tenant, mut new) = (append.tenant, NewKeys::default());
        for stream in &mut append.streams {
            let (begins, place) = (stream.expected == Some(0), (tenant, stream.id.as_str()));
            for (_, event) in &mut stream.events {
                if begins {
                    let sealed = self.personal.seal_first_event(&self.pool, place, event, &mut new);
                    sealed.await?;
                } else {
                    self.personal.seal_event(&self.pool, place, event).await?;
                }
            }
        }
        if let Some(person) = ask.caller() {
            let person = (tenant, person);
            self.personal.seal_metadata(&self.pool, person, &mut append.metadata, &new).await?;
        }
        append.subject_keys = new.rows().map(|(id, sealed)| (id, sealed.to_vec())).collect();
        Ok(new)
    }

    /// The organisation, where the append has to lean on it for the first time: users have their standing looked at before,
    /// our own services and what is kept of refusals have not.
    async fn leaning(&self, append: &Append) -> Result<Option<Folded<Organization>>, Problem> {
        if append.streams.iter().any(|stream| stream.kind == Organization::TYPE) {
            return Ok(None); // its own rules see to it
        }
        let (tenant, id) = (append.tenant, append.tenant.to_string());
        let known = self.aggregates.get::<Organization>(tenant, &id).await;
        let known = known.map_err(|error| Problem::internal(&error))?;
        check_not_purged(&known.state)?;
        let leans = append.facts.iter().any(|fact| fact.kind == Organization::TYPE);
        Ok(if leans { None } else { Some(known) })
    }

    async fn append_leaning(
        &self,
        mut append: Append,
        mut known: Folded<Organization>,
    ) -> Result<Outcome, Problem> {
        let (tenant, id) = (append.tenant, append.tenant.to_string());
        loop {
            append.facts.push(Fact::of::<Organization>(&*id, known.version));
            let outcome = self.writer.append(append.clone()).await.map_err(|error| lost(&error))?;
            append.facts.pop();
            let now = match outcome {
                Outcome::StaleFact => self.aggregates.refresh::<Organization>(tenant, &id).await,
                Outcome::Stored(_)
                | Outcome::Replayed { .. }
                | Outcome::KeyReused
                | Outcome::StaleVersion
                | Outcome::Claimed { .. } => return Ok(outcome),
            };
            let now = now.map_err(|error| Problem::internal(&error))?;
            check_not_purged(&now.state)?;
            if now.version == known.version {
                return Ok(outcome); // something else moved on
            }
            known = now;
        }
    }
}

fn check_not_purged(organization: &Organization) -> Result<(), Problem> {
    match organization.status {
        Status::Purged => check_at_work(organization),
        Status::Absent | Status::Open | Status::Suspended => Ok(()),
    }
}

impl Ask {
    /// Whose address and program the request shows; services of ours have nothing personal.
    fn caller(&self) -> Option<Uuid> {
        let user = self.principal.user().map(|user| user.0);
        user.or(self.person).filter(|person| !person.is_nil())
    }
}
