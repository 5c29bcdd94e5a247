//! Questions about comments: those on a record, and one's own.

use ::events::subject::Subject;
use ::events::{CommentId, Module, UserId};
use axum::response::Response;
use platform::access::lacking;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use sqlx::Row as _;
use uuid::Uuid;

use crate::call::{Call, unreadable};
use crate::endpoint::Endpoint;
use crate::item::item_of_anybody;
use crate::list::{list, list_of_anybody};
use crate::shape::{LIST, dataset, listing, page_of, query, row_of, single};

const COMMENTS: &str = "collaboration.comments";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let comments = Route::get("/comments", Module::Collaboration, "collaboration_comments")
        .summary("The comments on a record that the caller may see; without one the caller's own, or everybody's for moderators");
    let comments = listing(comments, COMMENTS, |g| page_of(g, COMMENTS)).parameters(&PARAMETERS);
    let comment = Route::get("/comments/{id}", Module::Collaboration, "collaboration_comment")
        .summary("One comment");
    vec![
        Endpoint::new(comments, listed),
        Endpoint::new(single(comment, COMMENTS, |g| row_of(g, COMMENTS)), |call| async move {
            readable(&call).await?;
            item_of_anybody(&call, dataset(COMMENTS), call.segment("id"), "comment").await
        }),
    ]
}

/// The parameters of every list, and a record under the name that it has elsewhere.
static PARAMETERS: [Parameter; LIST.len() + 1] = {
    let of_record = query("subject", "the record that comments are on, as `<type>:<id>`");
    let mut all = [of_record; LIST.len() + 1];
    let mut place = 0;
    while place < LIST.len() {
        all[place] = LIST[place];
        place += 1;
    }
    all
};

/// Comments on a record are for whoever may see the record.
async fn listed(mut call: Call) -> Result<Response, Problem> {
    let subject = call.parameter("subject").map(str::parse::<Subject>).transpose();
    let subject = subject.map_err(|error| Problem::parameter("subject", error.to_string()))?;
    let Some(subject) = subject else { return list(&call, dataset(COMMENTS), None).await };
    let standing = call.standing.as_ref();
    let may = call.app.access.may_read_comments(&call.principal, standing, &subject).await;
    if !may.map_err(unreadable)? {
        return Err(lacking(&call.principal, subject.kind.read_permission()));
    }
    // As it is written in the rows, however the caller wrote it.
    for (_, value) in call.parameters.iter_mut().filter(|(name, _)| name == "subject") {
        *value = subject.to_string();
    }
    list_of_anybody(&call, dataset(COMMENTS)).await
}

/// Whether there is such a comment for the caller.
async fn readable(call: &Call) -> Result<(), Problem> {
    let absent = || Problem::absent("comment");
    let id: CommentId = call.id("id", "comment")?;
    let mut statement = Statement::default();
    let number = statement.bind(Bind::Id(id.0));
    statement.sql = format!(
        "select t.subject, t.author_id from read.collaboration_comments t \
         where t.comment_id = ${number}"
    );
    let asked = call.ask(dataset(COMMENTS).projections, &statement).await?;
    let row = asked.rows.first().ok_or_else(absent)?;
    let subject: String = row.try_get("subject")?;
    let subject: Subject = subject.parse().map_err(|error| Problem::internal(&error))?;
    let author = UserId(row.try_get::<Uuid, _>("author_id")?);
    let standing = call.standing.as_ref();
    let of = (&subject, author);
    let may = call.app.access.may_read_comment(&call.principal, standing, of).await;
    if may.map_err(unreadable)? { Ok(()) } else { Err(absent()) }
}
