//! What processes that died left behind: parts of clips in the scratch folder, which nobody goes on with because whoever
//! took the job over began anew under another name, and files in storage that were not written to their end.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::Context;
use crate::media::is_unfinished;

/// Seconds after which a file was left: longer than any clip waits to be stored.
const LEFT_SECONDS: i64 = 6 * 3_600;

/// Deletes what was left. Several processes of a machine may share the folders, so age is all that tells.
pub async fn sweep(context: &Context) -> anyhow::Result<()> {
    let before = context.app.clock.now().seconds() - LEFT_SECONDS;
    let scratch = context.app.config.scratch();
    let storage = context.app.store.folder().map(Path::to_owned);
    let swept = tokio::task::spawn_blocking(move || {
        unless_gone(sweep_folder(&scratch, |_| true, before))?;
        storage.map_or(Ok(()), |storage| unless_gone(sweep_folder(&storage, is_unfinished, before)))
    });
    Ok(swept.await??)
}

fn sweep_folder(folder: &Path, is_part: fn(&Path) -> bool, before: i64) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            unless_gone(sweep_folder(&path, is_part, before))?;
        } else if is_part(&path) {
            unless_gone(sweep_file(&path, before))?;
        }
    }
    Ok(())
}

fn sweep_file(path: &Path, before: i64) -> io::Result<()> {
    if seconds(fs::metadata(path)?.modified()?) < before {
        fs::remove_file(path)?;
        tracing::info!(path = %path.display(), "a file that a process left behind is deleted");
    }
    Ok(())
}

fn seconds(time: SystemTime) -> i64 {
    DateTime::<Utc>::from(time).timestamp()
}

/// There may be no folder yet, and a file may have been stored meanwhile.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
