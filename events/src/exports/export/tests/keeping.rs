//! What becomes of a finished file, by example.

use super::*;

fn archived() -> Event {
    Event::Archived { by: id(1) }
}

fn deleted() -> Event {
    Event::Deleted { by: id(2) }
}

#[test]
fn an_archived_file_outlives_its_time_until_somebody_deletes_it() {
    let late = "2026-03-01T12:00:00Z";
    let made = [requested(), started(1), Event::Completed(file())];
    let kept = || made.iter().cloned().chain([archived()]);
    let archive = || Command::Archive { by: id(1) };
    given::<Export>(made.clone()).when(archive()).then([archived()]);
    given::<Export>(kept()).when(archive()).then([]);
    given::<Export>(made.clone()).context(on(late)).when(archive()).refused(Rejection::FileExpired);
    given::<Export>(kept())
        .context(on(late))
        .when(download())
        .then([Event::Downloaded { by: id(1) }]);
    for command in [Command::Expire, Command::CleanUp] {
        given::<Export>(kept()).context(on(late)).when(command).refused(Rejection::FileArchived);
    }
    let delete = Command::Delete { by: id(2) };
    given::<Export>(kept()).context(on(late)).when(delete).then([deleted()]);
    // Whoever is erased does not stay in an archive.
    given::<Export>(kept()).context(on(late)).when(Command::Withdraw).then([Event::Expired]);
}

#[test]
fn a_deleted_file_is_gone_and_what_is_still_made_is_cancelled_instead() {
    let delete = || Command::Delete { by: id(2) };
    let [queued, running, completed, failed, cancelled, expired] = pasts();
    given::<Export>(queued).when(delete()).refused(Rejection::StillMade("queued"));
    given::<Export>(running).when(delete()).refused(Rejection::StillMade("running"));
    for nothing_left in [failed, cancelled, expired] {
        given::<Export>(nothing_left).when(delete()).then([]);
    }
    given::<Export>(completed.clone()).when(delete()).then([deleted()]);
    let gone = || completed.iter().cloned().chain([deleted()]);
    given::<Export>(gone()).when(delete()).then([]);
    given::<Export>(gone()).when(download()).refused(Rejection::FileDeleted);
    given::<Export>(gone()).when(Command::Archive { by: id(1) }).refused(Rejection::FileDeleted);
    given::<Export>(gone()).when(Command::Expire).then([]);
    given::<Export>([]).when(delete()).refused(Rejection::Unknown);
}

#[test]
fn old_files_are_cleaned_up_before_their_time() {
    let [queued, _, completed, failed, ..] = pasts();
    given::<Export>(completed).when(Command::CleanUp).then([Event::Expired]);
    given::<Export>(failed).when(Command::CleanUp).then([]);
    given::<Export>(queued).when(Command::CleanUp).refused(Rejection::NotDownloadable("queued"));
}
