//! From a decision to the log: what is personal in it is sealed on the way, here and nowhere else.

use platform::problem::Problem;
use uuid::Uuid;

use crate::app::App;
use crate::audit::line::Line;
use crate::log::{Append, Outcome};
use crate::pipeline::{Ask, lost};

impl App {
    /// Stores an append, what is personal in its events and around them sealed.
    pub(crate) async fn append(&self, ask: &Ask, mut append: Append) -> Result<Outcome, Problem> {
        let tenant = append.tenant;
        for stream in &mut append.streams {
            for (_, event) in &mut stream.events {
                self.personal.seal_event(&self.pool, (tenant, &stream.id), event).await?;
            }
        }
        if let Some(person) = ask.caller() {
            let person = (tenant, person);
            self.personal.seal_metadata(&self.pool, person, &mut append.metadata).await?;
        }
        let line = Line::of(ask, &append);
        let outcome = self.writer.append(append).await.map_err(|error| lost(&error))?;
        if let (Outcome::Stored(stored), Some(line)) = (&outcome, line) {
            line.write(ask, stored.last_position);
        }
        Ok(outcome)
    }
}

impl Ask {
    /// Whose address and program the request shows; services of ours have nothing personal.
    fn caller(&self) -> Option<Uuid> {
        let user = self.principal.user().map(|user| user.0);
        user.or(self.person).filter(|person| !person.is_nil())
    }
}
