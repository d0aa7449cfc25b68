//! Answers to polls. Most find the task as the poll before found it, and get the same bytes.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use entity::{TaskId, Timestamp};
use lru::LruCache;

use super::link::LINK_SECONDS;
use super::view::{TaskBody, task_body, task_etag};
use crate::app::App;
use crate::http::etag::Etag;
use crate::http::rendered::Rendered;
use crate::video::read::TaskView;

/// Renderings that are kept, of a few KiB each.
const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Links in answers end at multiples of so many seconds, so that answers stay the same for a while.
const LINK_GRID_SECONDS: i64 = 300;

/// The renderings of the tasks that were looked at lately.
#[derive(Debug)]
pub struct Renderings(Mutex<LruCache<TaskId, Arc<Rendering>>>);

/// One state of a task, as it is answered.
#[derive(Debug)]
pub struct Rendering {
    /// What it is of.
    view: Arc<TaskView>,
    /// When its links end.
    links_end_at: Timestamp,
    pub etag: Etag,
    pub body: Rendered<TaskBody>,
}

impl Default for Renderings {
    fn default() -> Self {
        Renderings(Mutex::new(LruCache::new(KEPT)))
    }
}

impl Renderings {
    /// The rendering of a view, with links that work for an hour at least.
    pub fn of(&self, app: &App, view: &Arc<TaskView>) -> Arc<Rendering> {
        let links_end_at = links_end_at(app.clock.now());
        let is_same =
            |kept: &&Arc<Rendering>| Arc::ptr_eq(&kept.view, view) && kept.links_end_at == links_end_at;
        let kept = self.lock().get(&view.task.id).filter(is_same).cloned();
        kept.unwrap_or_else(|| {
            let body = Rendered::of(&task_body(app, view, links_end_at));
            let rendering = Rendering { view: view.clone(), links_end_at, etag: task_etag(view), body };
            let rendering = Arc::new(rendering);
            self.lock().put(view.task.id, rendering.clone());
            rendering
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<TaskId, Arc<Rendering>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the links of an answer end: after an hour, at the next line of the grid.
pub fn links_end_at(now: Timestamp) -> Timestamp {
    let earliest = now.seconds() + LINK_SECONDS;
    Timestamp::from_seconds((earliest / LINK_GRID_SECONDS + 1) * LINK_GRID_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_work_for_an_hour_and_hardly_more() {
        for now in [0, 1, 299, 300, 1_800_000_000] {
            let lifetime = links_end_at(Timestamp::from_seconds(now)).seconds() - now;
            assert!((3_600..=3_900).contains(&lifetime), "{lifetime}");
        }
    }
}
