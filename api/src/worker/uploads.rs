//! Uploads whose time is over, and files of uploads that were stored but never noted because a process died in between.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;

use super::Context;
use super::housekeeping::ORPHAN_AGE_SECONDS;

const PAGE: u64 = 500;
/// Where uploads lie in storage.
const UPLOADS: &str = "uploads/";

/// Forgets what has expired and no task needs. The rows go first: what a crash leaves then is found by [`sweep_objects`].
pub async fn sweep(context: &Context) -> anyhow::Result<()> {
    loop {
        let keys = context.app.video.uploads.sweep(PAGE).await?;
        let is_last = (keys.len() as u64) < PAGE;
        context.app.store.delete_all(keys).await;
        if is_last {
            return Ok(());
        }
    }
}

/// Deletes files that no upload points to, except for young ones: their rows may be about to be written.
pub async fn sweep_objects(context: &Context) -> anyhow::Result<()> {
    let before = context.app.clock.now().seconds() - ORPHAN_AGE_SECONDS;
    let mut objects = context.app.store.list(UPLOADS).chunks(PAGE as usize);
    while let Some(page) = objects.next().await {
        let mut old = Vec::new();
        for object in page {
            let object = object?;
            if DateTime::<Utc>::from(object.modified).timestamp() < before {
                old.push(object.key);
            }
        }
        let known: HashSet<String> = context.app.video.uploads.known(&old).await?;
        old.retain(|key| !known.contains(key));
        context.app.store.delete_all(old).await;
    }
    Ok(())
}
