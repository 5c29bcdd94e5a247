//! What decisions about tasks lean on: the asset, those who are to do it, the file that is to be attached, and the tasks before it.
//! A picture that is attached is linked to the task by the same append, and so kept for as long.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use events::files::content::PICTURES;
use events::files::file::{self, File};
use events::maintenance::asset::{self, Asset};
use events::maintenance::task::{
    self, ASSIGNEES_MAX_COUNT, Command, Create, Event, FORERUNNERS_MAX_COUNT, Facts, Manage, Other,
    PREREQUISITES_MAX_COUNT, Photo, Task, Upkept, Work,
};
use events::subject::{Subject, SubjectKind};
use events::{AssetId, Context, FileId, TaskId, UserId};
use platform::problem::Problem;

use super::{place, reach};
use crate::draft::Draft;
use crate::facts::{LoadFacts, Sources};
use crate::log::StreamWrite;

/// What a picture is to a task.
const ROLE: &str = "photo";

impl LoadFacts<Task> for Facts {
    async fn load(
        sources: &mut Sources<'_>,
        id: &str,
        state: &Task,
        command: &Command,
    ) -> Result<Self, Problem> {
        let me: TaskId = id.parse().map_err(|_| Problem::absent("task"))?;
        let known = (state.status != task::Status::Absent).then_some(state);
        let mut facts = Self { me, reach: reach(sources, known).await?, ..Self::default() };
        match command {
            Command::Create(create) => born(sources, create, &mut facts).await?,
            Command::Manage(Manage::SetAssignees { user_ids }) => {
                let newcomers: Vec<UserId> = state.newcomers(user_ids).collect();
                facts.strangers = strangers(sources, &newcomers).await?;
            }
            Command::Manage(Manage::SetPrerequisites { task_ids }) => {
                facts.others = forerunners(sources, state, task_ids).await?;
            }
            Command::Work(Work::AttachPhoto { file_id }) => {
                facts.photo = photo(sources, me, *file_id).await?;
            }
            Command::Work(Work::Complete) => {
                let before: Vec<TaskId> = state.prerequisites.iter().copied().collect();
                facts.others = right_before(sources, &before).await?;
            }
            Command::Manage(
                Manage::Change(_)
                | Manage::AddSubtask(_)
                | Manage::ChangeSubtask { .. }
                | Manage::RemoveSubtask { .. }
                | Manage::DefineRequirements { .. }
                | Manage::Reschedule { .. }
                | Manage::Cancel { .. },
            )
            | Command::Work(
                Work::CompleteSubtask { .. }
                | Work::ReopenSubtask { .. }
                | Work::Tick { .. }
                | Work::DetachPhoto { .. }
                | Work::RecordCriterion { .. }
                | Work::Confirm
                | Work::Start
                | Work::Block { .. }
                | Work::Reopen { .. },
            )
            | Command::Report(_) => {}
        }
        Ok(facts)
    }

    async fn streams(
        sources: &mut Sources<'_>,
        draft: &Draft<Task>,
        context: &Context,
    ) -> Result<Vec<StreamWrite>, Problem> {
        let mut streams = vec![draft.write()];
        let id: TaskId = draft.id().parse().map_err(|_| Problem::absent("task"))?;
        let subject = Subject { kind: SubjectKind::Task, id: id.0 };
        for event in draft.events() {
            if let Event::PhotoAttached { file_id } | Event::PhotoDetached { file_id } = event {
                let is_attached = draft.state().photos.contains(&file_id);
                let change = (subject, is_attached);
                streams.extend(linked(sources, file_id, (change, context)).await?);
            }
        }
        Ok(streams)
    }
}

async fn born(
    sources: &mut Sources<'_>,
    create: &Create,
    facts: &mut Facts,
) -> Result<(), Problem> {
    match create.asset_id {
        Some(asset) => facts.asset = upkept(sources, asset).await?,
        None => facts.place = place(sources, create.unit_id).await?,
    }
    facts.strangers = strangers(sources, &create.assignees).await?;
    facts.others = right_before(sources, &create.prerequisites).await?;
    // Nothing waits for what is not there yet, so nobody has to look further.
    for other in facts.others.values_mut() {
        other.prerequisites.clear();
    }
    Ok(())
}

async fn upkept(sources: &mut Sources<'_>, asset: AssetId) -> Result<Upkept, Problem> {
    let asset = sources.now::<Asset>(&asset.to_string()).await?.state;
    Ok(match asset.status {
        asset::Status::Absent => Upkept::Unknown,
        asset::Status::Retired => Upkept::Retired,
        asset::Status::Active => Upkept::Active(asset.unit_id),
    })
}

/// Those who cannot sign in. Whoever names too many is refused for that, whoever the others are.
async fn strangers(
    sources: &mut Sources<'_>,
    users: &[UserId],
) -> Result<BTreeSet<UserId>, Problem> {
    sources.inactive(users.iter().copied().take(ASSIGNEES_MAX_COUNT)).await
}

/// A stored file that is the caller's own, or about the task already.
async fn photo(sources: &mut Sources<'_>, task: TaskId, file_id: FileId) -> Result<Photo, Problem> {
    let file = sources.now::<File>(&file_id.to_string()).await?.state;
    let own = sources.standing.is_some_and(|standing| standing.user_id == file.uploaded_by);
    let subject = Subject { kind: SubjectKind::Task, id: task.0 };
    let content = file.content.as_ref().filter(|_| own || file.is_about(&subject));
    Ok(match content {
        None => Photo::Unknown,
        Some(_) if file.flag.is_some() => Photo::Held,
        Some(content) if PICTURES.contains(&&*content.media_type) => Photo::Picture,
        Some(_) => Photo::Other,
    })
}

/// What is known of tasks, and whether the caller may know of them.
async fn right_before(
    sources: &mut Sources<'_>,
    tasks: &[TaskId],
) -> Result<BTreeMap<TaskId, Other>, Problem> {
    let mut others = BTreeMap::new();
    for id in tasks.iter().take(PREREQUISITES_MAX_COUNT) {
        let task = sources.now::<Task>(&id.to_string()).await?.state;
        let seen = reach(sources, Some(&*task)).await?.is_some();
        others.insert(*id, other(&task, seen));
    }
    Ok(others)
}

/// Those that are to come before a task, and all before these, so many at most: the rule assumes nothing of others.
async fn forerunners(
    sources: &mut Sources<'_>,
    state: &Task,
    tasks: &[TaskId],
) -> Result<BTreeMap<TaskId, Other>, Problem> {
    let new: Vec<TaskId> =
        tasks.iter().copied().filter(|task| !state.prerequisites.contains(task)).collect();
    let mut others = right_before(sources, &new).await?;
    let before = |other: &Other| other.prerequisites.iter().copied().collect::<Vec<_>>();
    let mut open: VecDeque<TaskId> = others.values().flat_map(before).collect();
    while let Some(id) = open.pop_front().filter(|_| others.len() < FORERUNNERS_MAX_COUNT) {
        if others.contains_key(&id) {
            continue;
        }
        let task = sources.now::<Task>(&id.to_string()).await?.state;
        let known = other(&task, false);
        open.extend(before(&known));
        others.insert(id, known);
    }
    Ok(others)
}

fn other(task: &Task, seen: bool) -> Other {
    Other { status: task.status, seen, prerequisites: task.prerequisites.clone() }
}

/// A picture is about the task for as long as it is attached. What was about it before stays so, and what is gone follows nothing.
async fn linked(
    sources: &mut Sources<'_>,
    file_id: FileId,
    ((subject, is_attached), context): ((Subject, bool), &Context),
) -> Result<Option<StreamWrite>, Problem> {
    let file = sources.now::<File>(&file_id.to_string()).await?;
    let link = file.state.links.iter().find(|link| link.subject == subject);
    let command = match (is_attached, link) {
        (true, None) => file::Command::Link { subject, role: ROLE.into() },
        (false, Some(link)) if link.role == ROLE => file::Command::Unlink { subject },
        (true, Some(_)) | (false, Some(_) | None) => return Ok(None),
    };
    if file.state.status != file::Status::Stored {
        return Ok(None);
    }
    let mut draft = Draft::new(file_id.to_string(), &file);
    let facts = file::Facts { subject_exists: true, ..file::Facts::default() };
    draft.settle(command, facts, context).await?;
    Ok((!draft.is_empty()).then(|| draft.write()))
}
