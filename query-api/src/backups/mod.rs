//! Questions about backups.

mod past;

use events::Module::Backups;
use platform::routes::Route;

use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::list;
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let backups = Route::get("/backups", Backups, "backups_backups").summary("Which backups exist");
    let backup = Route::get("/backups/{backup_id}", Backups, "backups_backup")
        .summary("One backup, with what its latest verification found");
    let backups = Endpoint::new(
        listing(backups, "backups.backups", |g| page_of(g, "backups.backups")),
        |call| async move { list(&call, dataset("backups.backups"), None).await },
    );
    let backup = Endpoint::new(
        single(backup, "backups.backups", |g| row_of(g, "backups.backups")),
        |call| async move {
            item(&call, dataset("backups.backups"), call.segment("backup_id"), "backup").await
        },
    );
    [backups].into_iter().chain(with_past(&past::BACKUP, backup)).collect()
}
