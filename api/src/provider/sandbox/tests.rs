//! How the sandbox behaves towards its caller. Renders are real but tiny; nothing here depends on how fast they are.

use super::job::Stage;
use super::queue::{RenderQueue, Work, draw};
use super::{Sandbox, upstream_id};
use crate::provider::{
    ClipSource, Cost, FailureCode, Found, Progress, Provider, ProviderError, Submission, UpstreamId,
};
use crate::video::catalog::InputMode;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// A submission for two seconds of a very small clip.
pub(super) fn sample(prompt: &str) -> Submission {
    Submission {
        submit_key: "tsk_1/1".to_owned(),
        native_id: "sandbox".to_owned(),
        model: "demo-1".to_owned(),
        mode: InputMode::TextToVideo,
        prompt: prompt.to_owned(),
        negative_prompt: None,
        media: Vec::new(),
        duration_s: 2,
        resolution: "90p".to_owned(),
        aspect_ratio: "16:9".to_owned(),
        width: 160,
        height: 90,
        audio: false,
        seed: None,
        clip: 0,
        clips: 1,
        options: serde_json::Map::new(),
        extra: serde_json::Map::new(),
        callback_url: None,
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    sandbox: Arc<Sandbox>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(folder.path().join("clips"), 8);
        Self { folder, sandbox }
    }

    /// The same folder after the process was started again.
    fn restarted(self) -> Self {
        let sandbox = Sandbox::new(self.folder.path().join("clips"), 8);
        Self { folder: self.folder, sandbox }
    }

    /// Submits, waits until nothing is left to draw, and polls.
    async fn run(&self, submission: &Submission) -> Progress {
        let id = self.sandbox.submit(submission).await.unwrap();
        self.settled(&id).await;
        self.sandbox.poll(&id, submission).await.unwrap()
    }

    async fn settled(&self, id: &UpstreamId) -> Stage {
        let ticket = self.sandbox.jobs().get(&id.0).unwrap().ticket.clone();
        ticket.settled().await
    }
}

/// A sandbox that draws only when the test says so.
fn without_thread(folder: &Path, limit: usize) -> (Sandbox, Receiver<Work>) {
    let (queue, work) = RenderQueue::without_thread(limit);
    (Sandbox::with_queue(folder.to_owned(), limit, queue), work)
}

fn keyed(key: &str, prompt: &str) -> Submission {
    Submission { submit_key: key.to_owned(), ..sample(prompt) }
}

/// Index, length and file of every delivered clip.
fn delivered(progress: Progress) -> Vec<(u32, Option<u64>, PathBuf)> {
    let Progress::Succeeded { clips, cost: Some(Cost::MicroUsd(0)) } = progress else {
        panic!("{progress:?}")
    };
    let clip = |clip: crate::provider::RemoteClip| match clip.source {
        ClipSource::File(path) => (clip.index, clip.millis, path),
        other => panic!("the sandbox delivers files, not {other:?}"),
    };
    clips.into_iter().map(clip).collect()
}

fn failure(progress: Progress) -> FailureCode {
    let Progress::Failed { failure, .. } = progress else { panic!("{progress:?}") };
    failure.code
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map(|files| files.count()).unwrap_or(0)
}

#[test]
fn the_upstream_id_depends_on_the_submit_key_alone() {
    assert_eq!(upstream_id("tsk_1/1"), upstream_id("tsk_1/1"));
    assert_ne!(upstream_id("tsk_1/1"), upstream_id("tsk_1/2"));
    assert_eq!(upstream_id("").0, "sbx_e3b0c44298fc1c149afbf4c8996fb924");
}

#[tokio::test]
async fn a_job_ends_with_a_file_of_the_asked_length() {
    let fixture = Fixture::new();
    let clips = delivered(fixture.run(&sample("a cat")).await);
    let [(0, Some(2_000), path)] = clips.as_slice() else { panic!("{clips:?}") };
    let file = std::fs::read(path).unwrap();
    assert_eq!(&file[4..8], b"ftyp");
    assert_eq!(files_in(path.parent().unwrap()), 1);
}

#[tokio::test]
async fn every_clip_of_a_job_is_a_file_of_its_own() {
    let fixture = Fixture::new();
    let clips = delivered(fixture.run(&Submission { clip: 1, clips: 2, ..sample("a cat") }).await);
    assert_eq!(clips.iter().map(|clip| clip.0).collect::<Vec<_>>(), [1, 2]);
    let read = |clip: usize| std::fs::read(&clips[clip].2).unwrap();
    assert_ne!(read(0), read(1));
}

#[tokio::test]
async fn submitting_twice_is_the_same_job() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, work) = without_thread(folder.path(), 4);
    let first = sandbox.submit(&sample("a cat")).await.unwrap();
    assert_eq!(sandbox.submit(&sample("a cat")).await.unwrap(), first);
    assert_eq!(work.try_iter().count(), 1);
}

#[tokio::test]
async fn a_full_queue_accepts_nothing_and_forgets_the_submission() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, work) = without_thread(folder.path(), 1);
    sandbox.submit(&keyed("first", "")).await.unwrap();
    let refused = sandbox.submit(&keyed("second", "")).await;
    assert!(
        matches!(refused, Err(ProviderError::Unavailable { retry_after_ms: Some(_), .. })),
        "{refused:?}"
    );
    assert!(matches!(sandbox.find(&keyed("second", ""), &[]).await, Ok(Found::Absent)));
    draw(&work.recv().unwrap());
    sandbox.submit(&keyed("second", "")).await.unwrap();
}

#[tokio::test]
async fn a_poll_while_the_queue_is_full_counts_as_queued() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, _work) = without_thread(folder.path(), 1);
    sandbox.submit(&keyed("first", "")).await.unwrap();
    let unknown = keyed("second", "");
    let polled = sandbox.poll(&upstream_id("second"), &unknown).await;
    assert!(matches!(polled, Ok(Progress::Queued)), "{polled:?}");
}

#[tokio::test]
async fn a_poll_with_a_foreign_id_is_broken() {
    let fixture = Fixture::new();
    let polled = fixture.sandbox.poll(&upstream_id("other"), &sample("a cat")).await;
    assert!(matches!(polled, Err(ProviderError::Broken(_))), "{polled:?}");
}

#[tokio::test]
async fn fail_and_moderation_fail_after_acceptance_and_draw_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, work) = without_thread(folder.path(), 4);
    for (prompt, code) in [
        ("[sandbox:fail]", FailureCode::Internal),
        ("[sandbox:fail=0]", FailureCode::Internal),
        ("[sandbox:moderation]", FailureCode::ModerationInput),
    ] {
        let submission = keyed(prompt, prompt);
        let id = sandbox.submit(&submission).await.unwrap();
        assert_eq!(failure(sandbox.poll(&id, &submission).await.unwrap()), code, "{prompt}");
    }
    assert_eq!(work.try_iter().count(), 0);
}

#[tokio::test]
async fn one_failing_clip_leaves_the_others() {
    let fixture = Fixture::new();
    let clips = delivered(fixture.run(&Submission { clips: 3, ..sample("[sandbox:fail=1]") }).await);
    assert_eq!(clips.iter().map(|clip| clip.0).collect::<Vec<_>>(), [0, 2]);
}

#[tokio::test]
async fn short_delivers_fewer_seconds() {
    let fixture = Fixture::new();
    let clips = delivered(fixture.run(&sample("a cat [sandbox:short=1]")).await);
    assert_eq!(clips[0].1, Some(1_000));
}

#[tokio::test(start_paused = true)]
async fn slow_holds_the_outcome_back_for_the_asked_time() {
    let fixture = Fixture::new();
    let submission = sample("[sandbox:slow=30]");
    let polled = fixture.run(&submission).await;
    assert!(matches!(polled, Progress::Running { percent: Some(0) }), "{polled:?}");
    let id = upstream_id(&submission.submit_key);
    tokio::time::advance(Duration::from_millis(29_999)).await;
    let polled = fixture.sandbox.poll(&id, &submission).await.unwrap();
    assert!(matches!(polled, Progress::Running { percent: Some(99) }), "{polled:?}");
    tokio::time::advance(Duration::from_millis(1)).await;
    delivered(fixture.sandbox.poll(&id, &submission).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn hang_never_ends_and_draws_nothing_until_it_is_canceled() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, work) = without_thread(folder.path(), 1);
    let submission = sample("[sandbox:hang]");
    let id = sandbox.submit(&submission).await.unwrap();
    tokio::time::advance(Duration::from_secs(86_400)).await;
    let polled = sandbox.poll(&id, &submission).await.unwrap();
    assert!(matches!(polled, Progress::Running { percent: None }), "{polled:?}");
    assert_eq!(work.try_iter().count(), 0);
    sandbox.cancel(&id, &submission).await.unwrap();
    assert!(matches!(sandbox.poll(&id, &submission).await, Ok(Progress::Canceled)));
}

#[tokio::test]
async fn flaky_fails_the_asked_number_of_polls() {
    let fixture = Fixture::new();
    let submission = sample("[sandbox:flaky=2]");
    let id = fixture.sandbox.submit(&submission).await.unwrap();
    fixture.settled(&id).await;
    for _ in 0..2 {
        let polled = fixture.sandbox.poll(&id, &submission).await;
        assert!(matches!(polled, Err(ProviderError::Unavailable { .. })), "{polled:?}");
    }
    delivered(fixture.sandbox.poll(&id, &submission).await.unwrap());
}

#[tokio::test]
async fn a_lost_reply_is_found_again() {
    let fixture = Fixture::new();
    let submission = sample("[sandbox:lost]");
    assert!(matches!(fixture.sandbox.find(&submission, &[]).await, Ok(Found::Absent)));
    let reply = fixture.sandbox.submit(&submission).await;
    assert!(matches!(reply, Err(ProviderError::Unknown(_))), "{reply:?}");
    let Ok(Found::Accepted(id)) = fixture.sandbox.find(&submission, &[]).await else { panic!("not found") };
    assert_eq!(fixture.sandbox.submit(&submission).await.unwrap(), id);
    delivered(fixture.run(&submission).await);
}

#[tokio::test]
async fn a_canceled_job_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, work) = without_thread(folder.path(), 1);
    let submission = sample("a cat");
    let id = sandbox.submit(&submission).await.unwrap();
    sandbox.cancel(&id, &submission).await.unwrap();
    draw(&work.recv().unwrap());
    assert!(matches!(sandbox.poll(&id, &submission).await, Ok(Progress::Canceled)));
    assert_eq!(files_in(folder.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_held_back_can_still_be_canceled_but_a_delivered_one_cannot() {
    let fixture = Fixture::new();
    for (prompt, canceled) in [("[sandbox:slow=30]", true), ("a cat", false)] {
        let submission = keyed(prompt, prompt);
        fixture.run(&submission).await;
        let id = upstream_id(prompt);
        fixture.sandbox.cancel(&id, &submission).await.unwrap();
        let polled = fixture.sandbox.poll(&id, &submission).await.unwrap();
        assert_eq!(matches!(polled, Progress::Canceled), canceled, "{prompt}: {polled:?}");
    }
}

#[tokio::test]
async fn a_cancel_for_an_unknown_job_is_remembered() {
    let fixture = Fixture::new();
    let submission = sample("a cat");
    let id = upstream_id(&submission.submit_key);
    fixture.sandbox.cancel(&id, &submission).await.unwrap();
    assert!(matches!(fixture.sandbox.poll(&id, &submission).await, Ok(Progress::Canceled)));
}

#[tokio::test]
async fn after_a_restart_a_finished_job_is_found_by_its_file() {
    let fixture = Fixture::new();
    let submission = sample("a cat");
    let before = delivered(fixture.run(&submission).await);
    let fixture = fixture.restarted();
    assert!(matches!(fixture.sandbox.find(&submission, &[]).await, Ok(Found::Accepted(_))));
    assert_eq!(delivered(fixture.run(&submission).await), before);
}

#[tokio::test]
async fn after_a_restart_an_unknown_job_is_drawn_again_into_the_same_bytes() {
    let fixture = Fixture::new();
    let submission = sample("a cat");
    let path = delivered(fixture.run(&submission).await)[0].2.clone();
    let before = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();

    let fixture = fixture.restarted();
    let id = upstream_id(&submission.submit_key);
    fixture.sandbox.poll(&id, &submission).await.unwrap();
    fixture.settled(&id).await;
    delivered(fixture.sandbox.poll(&id, &submission).await.unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_drawn_again_when_asked_for() {
    let fixture = Fixture::new();
    let submission = sample("a cat");
    let path = delivered(fixture.run(&submission).await)[0].2.clone();
    std::fs::remove_file(&path).unwrap();
    let id = upstream_id(&submission.submit_key);
    assert!(matches!(fixture.sandbox.poll(&id, &submission).await, Ok(Progress::Queued)));
    delivered(fixture.run(&submission).await);
    assert!(path.exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_fails_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, b"").unwrap();
    let (sandbox, work) = without_thread(&blocked, 1);
    let submission = sample("a cat");
    let id = sandbox.submit(&submission).await.unwrap();
    draw(&work.recv().unwrap());
    assert_eq!(failure(sandbox.poll(&id, &submission).await.unwrap()), FailureCode::Internal);
}
