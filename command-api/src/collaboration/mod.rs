//! Routes of comments: posting, answering, editing and deleting them.

mod facts;

use std::sync::Arc;

use events::collaboration::thread::{COMMENT, Command, Post, Thread};
use events::subject::Subject;
use events::{CommentId, Module, Permission, ThreadId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::clock;
use platform::limits::Quota;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::registry::{Call, Nothing, Registry};

/// How often one user may post and edit: more than anybody writes, and less than a flood.
const WRITTEN: Quota = Quota { name: "comments", most: 600, seconds: 3600 };
const PATH: &str = "/comments/{comment_id}";

/// A comment to post.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewComment {
    /// The comment's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<CommentId>,
    /// The record that it is on.
    subject: Subject,
    /// What it says; `@handle` calls a user by name.
    body: String,
    /// The comment that it answers, if it is an answer.
    #[serde(default)]
    parent_id: Option<CommentId>,
}

/// What a comment is to say.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// What it says; `@handle` calls a user by name.
    body: String,
}

pub(crate) fn routes(registry: &mut Registry) {
    let uses = |route: Route| route.needs(Permission::CollaborationCommentsUse);
    let module = Module::Collaboration;
    registry.command::<NewComment, Thread>(
        uses(Route::post("/comments", module, "collaboration_thread_post_comment"))
            .summary("comment on a record that one may see, or answer a comment on it")
            .limited(WRITTEN)
            .answers::<()>(201),
        post,
    );
    registry.checked::<Edit, Thread>(
        uses(Route::patch(PATH, module, "collaboration_thread_edit_comment"))
            .summary(
                "edit one's own comment for a quarter of an hour; moderators edit any at any time",
            )
            .limited(WRITTEN),
        find,
        |call| {
            let comment_id = call.id("comment_id")?;
            let body = call.body.body.clone();
            Ok(Target::new(thread(call)?, Command::Edit { comment_id, body }))
        },
    );
    registry.checked::<Nothing, Thread>(
        uses(Route::delete(PATH, module, "collaboration_thread_delete_comment"))
            .summary("delete one's own comment; moderators delete any; the answers to it stay"),
        find,
        |call| {
            let comment_id = call.id("comment_id")?;
            Ok(Target::new(thread(call)?, Command::Delete { comment_id }))
        },
    );
}

fn post(call: &Call<NewComment>) -> Result<Target<Thread>, Problem> {
    let NewComment { id, subject, body, parent_id } = call.body.clone();
    let nobody = || Problem::forbidden("only users comment");
    let author_id = call.principal.user().ok_or_else(nobody)?;
    let comment_id = id.unwrap_or_else(clock::new_id);
    let post = Post { comment_id, subject, author_id, body, parent_id };
    let thread = Thread::of(call.tenant(), &subject);
    let target = Target::new(thread, Command::Post(post)).at("/comments/{comment_id}");
    Ok(target.about(subject))
}

/// Finds the thread that a comment is in by the claims of the log, which are never behind; to whoever may not read the comment there
/// is none.
fn find<'a, B: Send>(
    app: &'a Arc<App>,
    ask: &'a Ask,
    call: &'a mut Call<B>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let (tenant, comment) = (ask.principal.tenant, call.id::<CommentId>("comment_id")?);
        call.stream = app.claimant(tenant, COMMENT, &comment.to_string()).await?;
        let known = app.aggregates.refresh::<Thread>(tenant, &thread(call)?.to_string()).await;
        let state = known.map_err(|error| Problem::internal(&error))?.state;
        let author = state.comments.get(&comment).map(|comment| comment.author_id);
        let of = state.subject.as_ref().zip(author);
        let of = of.ok_or_else(|| Problem::absent("comment"))?;
        let readable = app.access.may_read_comment(&ask.principal, ask.standing.as_ref(), of).await;
        let readable = readable.map_err(|error| Problem::internal(&error))?;
        if readable { Ok(()) } else { Err(Problem::absent("comment")) }
    }
    .boxed()
}

fn thread<B>(call: &Call<B>) -> Result<ThreadId, Problem> {
    call.found("comment")
}
