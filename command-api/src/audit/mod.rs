//! Routes of audit: reports of the trail, archiving it, and what our query API says was read of what is sensitive.

mod archives;
pub(crate) mod line;
mod reads;
mod reports;

use crate::registry::Registry;

pub(crate) fn routes(registry: &mut Registry) {
    reports::routes(registry);
    reads::routes(registry);
    archives::routes(registry);
}
