//! What a process that died leaves where clips are made and stored is taken away, once nobody can be at it any more.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tests::{TestApp, on_both_engines};

on_both_engines!(
    old_files_in_the_scratch_folder_are_deleted_and_fresh_ones_are_not,
    an_old_upload_that_was_not_finished_is_deleted_and_what_else_is_there_is_not,
);

const HOURS: u64 = 3_600;

async fn old_files_in_the_scratch_folder_are_deleted_and_fresh_ones_are_not(app: TestApp) -> TestApp {
    let folder = app.app.config.data_dir.join("scratch");
    std::fs::create_dir_all(folder.join("folder")).unwrap();
    let now = u64::try_from(app.app.clock.now().seconds()).unwrap();
    for (name, hours) in [("drawn.mp4.7.part", 0), ("task-1-1.fetched", 0), ("fresh.mp4", 2)] {
        let modified = UNIX_EPOCH + Duration::from_secs(now + hours * HOURS);
        File::create(folder.join(name)).unwrap().set_modified(modified).unwrap();
    }
    app.advance(7 * HOURS as i64);
    let app = app.with_worker().await;
    while names(&folder).len() > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(names(&folder), ["folder", "fresh.mp4"]);
    app
}

async fn an_old_upload_that_was_not_finished_is_deleted_and_what_else_is_there_is_not(
    app: TestApp,
) -> TestApp {
    let folder = app.app.config.data_dir.join("clips/others/00");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["clip.mp4#1", "clip.mp4#one", "clip.mp4"] {
        File::create(folder.join(name)).unwrap();
    }
    app.advance(7 * HOURS as i64);
    let app = app.with_worker().await;
    while names(&folder).len() > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(names(&folder), ["clip.mp4", "clip.mp4#one"]);
    app
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}
