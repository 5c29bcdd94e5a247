//! What decisions about comments lean on: whether the record is there, who is called, and what the caller may.

use std::collections::BTreeMap;

use events::collaboration::mention::{HANDLES_MAX_COUNT, handles};
use events::collaboration::thread::{Command, Facts, Thread};
use events::identity::user::{HANDLE, Status, User};
use events::text::fold;
use events::{Permission, UserId};
use platform::problem::Problem;

use crate::facts::{LoadFacts, Sources};

impl LoadFacts<Thread> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        _: &str,
        state: &Thread,
        command: &Command,
    ) -> Result<Self, Problem> {
        let moderates = Permission::CollaborationCommentsModerate;
        let moderator = sources.standing.is_some_and(|it| it.effective.permits(moderates));
        let mut facts = Self { moderator, ..Self::default() };
        match command {
            Command::Post(post) => {
                facts.subject_exists = sources.has(&post.subject).await?;
                facts.users = called(sources, &post.body).await?;
            }
            Command::Edit { comment_id, body } => {
                if let Some(comment) = state.comments.get(comment_id) {
                    let author = sources.now::<User>(&comment.author_id.to_string()).await?;
                    facts.author_erased = author.state.status == Status::Erased;
                }
                facts.users = called(sources, body).await?;
            }
            Command::Delete { .. } => {}
        }
        Ok(facts)
    }
}

/// Who is called: users of the organisation who may sign in, whatever else they may.
async fn called(
    sources: &mut Sources<'_>,
    body: &str,
) -> Result<BTreeMap<String, UserId>, Problem> {
    let mut users = BTreeMap::new();
    let handles = handles(body);
    if handles.len() > HANDLES_MAX_COUNT {
        return Ok(users); // they are refused whoever they are
    }
    for handle in handles {
        let holder = sources.app.claimant(sources.tenant, HANDLE, &handle).await?;
        let Some(id) = holder.and_then(|id| id.parse::<UserId>().ok()) else { continue };
        let user = sources.now::<User>(&id.to_string()).await?.state;
        if user.status == Status::Active && fold(&user.handle) == handle {
            users.insert(handle, id);
        }
    }
    Ok(users)
}
