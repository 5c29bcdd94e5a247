//! Who may follow which stream.

use std::sync::Arc;

use events::backups::backup::Backup;
use events::exports::export::Export;
use events::{Permission, UserId};
use platform::access::{Standing, authorize, in_person};
use platform::clock;
use platform::principal::Principal;
use platform::problem::Problem;

use super::lane::RightsChange;
use super::spec::{Need, Spec};
use crate::app::App;
use crate::call::unreadable;
use crate::reads::EVENTS;
use crate::telling::By;

/// What sockets are called.
pub(super) const OPERATION: &str = "audit_stream";

/// A subscriber, as far as rights go.
#[derive(Clone)]
pub(crate) struct Viewer {
    pub(crate) principal: Arc<Principal>,
    pub(crate) standing: Option<Standing>,
    /// The id shared by everything that follows from the request that opened the stream.
    pub(crate) correlation: Arc<str>,
}

impl Viewer {
    pub(crate) fn user(&self) -> Option<UserId> {
        self.principal.user()
    }

    fn by(&self) -> By<'_> {
        By { principal: &self.principal, correlation: &self.correlation }
    }

    /// Whether a change may have changed what this subscriber may see.
    pub(crate) fn is_touched_by(&self, change: &RightsChange) -> bool {
        match change {
            RightsChange::Everybody => true,
            RightsChange::User(id) => *id == self.principal.actor.id,
            RightsChange::ApiKey(id) => {
                self.principal.actor.api_key_id.is_some_and(|key| key.to_string() == *id)
            }
            RightsChange::Session(id) => {
                self.principal.actor.session_id.is_some_and(|session| session.to_string() == *id)
            }
        }
    }

    /// Reads the standing anew from the log; refuses when the account or the session has ended.
    pub(crate) async fn renew(&mut self, app: &App) -> Result<(), Problem> {
        app.access.refresh(&self.principal).await.map_err(unreadable)?;
        self.standing = app.access.last_known(&self.principal).await.map_err(unreadable)?;
        match &self.standing {
            Some(standing) => standing.check_session(clock::now()),
            None => Ok(()),
        }
    }

    fn authorize(&self, permission: Permission) -> Result<(), Problem> {
        authorize(&self.principal, self.standing.as_ref(), permission)
    }

    /// Lets the subscriber follow a stream; a right given a moment ago counts.
    pub(crate) async fn admit(&mut self, app: &App, spec: &Spec) -> Result<(), Problem> {
        if self.may_follow(app, spec).await.is_err() {
            self.renew(app).await?;
            self.may_follow(app, spec).await?;
        }
        if matches!(spec.need(), Need::Permission(_)) {
            app.reads.note(self.by(), EVENTS, "", 0); // how many follow is not known yet
        }
        Ok(())
    }

    /// The same for a subscription of a socket, whose refusals nobody else notes.
    pub(crate) async fn subscribe(&mut self, app: &App, spec: &Spec) -> Result<(), Problem> {
        let Err(problem) = self.admit(app, spec).await else { return Ok(()) };
        Err(app.denied(self.by(), OPERATION, problem).await)
    }

    /// Whether the subscriber may follow a stream, as of what is known of the standing.
    pub(crate) async fn may_follow(&self, app: &App, spec: &Spec) -> Result<(), Problem> {
        match (spec.need(), spec) {
            (Need::Nothing, _) => in_person(&self.principal),
            (Need::Permission(permission), _) => self.authorize(permission),
            (Need::Job, Spec::Job(id)) => self.may_follow_job(app, id).await,
            (Need::Job, _) => Err(Problem::absent("stream")),
        }
    }

    async fn may_follow_job(&self, app: &App, id: &str) -> Result<(), Problem> {
        let tenant = self.principal.tenant;
        let export = app.aggregates.get::<Export>(tenant, id).await.map_err(unreadable)?;
        if export.version > 0 {
            if self.user() == Some(export.state.requested_by) {
                return Ok(());
            }
            return self
                .authorize(Permission::ExportsFilesReadAll)
                .map_err(|_| Problem::absent("job"));
        }
        let backup = app.aggregates.get::<Backup>(tenant, id).await.map_err(unreadable)?;
        if backup.version > 0 && self.authorize(Permission::BackupsArchivesRead).is_ok() {
            return Ok(());
        }
        Err(Problem::absent("job"))
    }
}
