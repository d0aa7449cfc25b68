//! What processes that died left in the scratch folder: parts of clips that nobody goes on with, because whoever took the
//! job over began anew under another name.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use tokio::fs;

use super::Context;

/// Seconds after which a file was left: longer than any clip waits to be stored.
const LEFT_SECONDS: i64 = 6 * 3_600;

/// Deletes what was left. Several processes of a machine may share the folder, so age is all that tells.
pub async fn sweep(context: &Context) -> anyhow::Result<()> {
    let folder = context.app.config.data_dir.join("scratch");
    let before = context.app.clock.now().seconds() - LEFT_SECONDS;
    Ok(unless_gone(sweep_folder(&folder, before).await)?)
}

async fn sweep_folder(folder: &Path, before: i64) -> io::Result<()> {
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        unless_gone(sweep_file(&entry.path(), before).await)?;
    }
    Ok(())
}

async fn sweep_file(path: &Path, before: i64) -> io::Result<()> {
    let about = fs::metadata(path).await?;
    if about.is_file() && seconds(about.modified()?) < before {
        fs::remove_file(path).await?;
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
