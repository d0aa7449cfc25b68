//! What goes wrong around the money: a download that breaks off, an id given twice, a follower that breaks down, an owner
//! that nobody knows. Whatever it is, the task ends, and its credits with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use entity::{Mode, TaskId, job, task_request};
use futures_util::FutureExt;
use reelmeter::media::{Allow, GuardedClient, Timeouts};
use reelmeter::provider::{
    Abilities, ClipSource, FailureCode, Found, Pace, Progress, Provider, ProviderError, Reconcile,
    RemoteClip, Submission, UpstreamId,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use tests::{TestApp, on_both_engines};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::wan;

on_both_engines!(
    a_download_that_broke_off_is_begun_again,
    clips_under_one_upstream_id_are_not_charged_and_hold_nothing,
    a_job_whose_follower_broke_down_is_taken_up_again,
    a_job_of_a_worker_that_nobody_knows_is_taken_over,
    a_clip_that_nobody_stores_gives_everything_back,
    a_request_that_cannot_be_read_keeps_nobodys_credits,
    what_is_canceled_while_the_provider_is_busy_is_not_sent_again,
    what_the_provider_stopped_by_itself_is_a_failure,
);

/// A provider made of what it answers.
struct Upstream<S, P> {
    submit: S,
    poll: P,
}

#[async_trait]
impl<S, P> Provider for Upstream<S, P>
where
    S: Fn(&Submission) -> Result<UpstreamId, ProviderError> + Send + Sync,
    P: Fn(&Submission) -> Progress + Send + Sync,
{
    fn name(&self) -> &str {
        "kie"
    }

    fn abilities(&self) -> Abilities {
        let pace = Pace::steady(Duration::from_millis(10));
        Abilities {
            slots: 8,
            rate: None,
            pace,
            can_cancel: false,
            reconcile: Reconcile::Keyed,
            needs_files: false,
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<UpstreamId, ProviderError> {
        (self.submit)(submission)
    }

    async fn poll(&self, _: &UpstreamId, submission: &Submission) -> Result<Progress, ProviderError> {
        Ok((self.poll)(submission))
    }

    async fn cancel(&self, _: &UpstreamId, _: &Submission) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn find(&self, submission: &Submission, _: &[UpstreamId]) -> Result<Found, ProviderError> {
        Ok(Found::Accepted(own_id(submission)))
    }
}

fn own_id(submission: &Submission) -> UpstreamId {
    UpstreamId(format!("up-{}", submission.submit_key))
}

fn accept(submission: &Submission) -> Result<UpstreamId, ProviderError> {
    Ok(own_id(submission))
}

fn failed() -> Progress {
    Progress::failed(FailureCode::Internal, "it failed")
}

fn delivered(submission: &Submission, source: ClipSource) -> Progress {
    let clip = RemoteClip { index: submission.clip, source, millis: None };
    Progress::Succeeded { clips: vec![clip], cost: None }
}

fn id_of(task: &str) -> TaskId {
    task.parse().expect("a task id")
}

/// Changes a job behind everybody's back.
pub async fn change_job(app: &TestApp, task: &str, column: job::Column, value: impl Into<sea_orm::Value>) {
    let tx = app.app.db.begin().await.unwrap();
    let update = job::Entity::update_many().col_expr(column, Expr::value(value.into()));
    update.filter(job::Column::TaskId.eq(id_of(task))).exec(&tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_download_that_broke_off_is_begun_again(mut app: TestApp) -> TestApp {
    let files = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = files.local_addr().unwrap().port();
    let second = Duration::from_secs(10);
    let timeouts = Timeouts { connect: second, read: second, total: second };
    app.app.clip_fetcher = GuardedClient::new(timeouts, Allow::new(&[("127.0.0.1", port)])).unwrap();
    let url = format!("http://127.0.0.1:{port}/clip.mp4");
    // The fake draws the clip, and we serve it.
    let (fake, clip) = (app.fake.provider(), Arc::new(OnceLock::new()));
    let drawn = clip.clone();
    let poll = move |submission: &Submission| {
        let polled = fake.poll(&own_id(submission), submission).now_or_never();
        let Some(Ok(Progress::Succeeded { clips, .. })) = polled else { panic!("{polled:?}") };
        drawn.get_or_init(|| clips[0].source.clone());
        delivered(submission, ClipSource::url(url.clone()))
    };
    app.app.providers.add(Arc::new(Upstream { submit: accept, poll }));
    let server = tokio::spawn(async move {
        serve_part(&files, &clip, |whole| whole / 2).await;
        serve_part(&files, &clip, |whole| whole).await;
    });
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &task).await;
    assert_eq!((&task["state"], &task["creditsUsed"]), (&json!("completed"), &json!(30)));
    server.await.unwrap();
    let mut left = tokio::fs::read_dir(app.app.config.data_dir.join("scratch")).await.unwrap();
    assert!(left.next_entry().await.unwrap().is_none(), "nothing stays behind");
    app
}

/// Answers one request with a whole head and a part of the body, and hangs up.
async fn serve_part(files: &TcpListener, clip: &OnceLock<ClipSource>, part: impl Fn(usize) -> usize) {
    let (mut socket, _): (TcpStream, _) = files.accept().await.unwrap();
    let Some(ClipSource::File(path)) = clip.get() else { panic!("{clip:?}") };
    let body = tokio::fs::read(path).await.unwrap();
    let mut request = [0; 4_096];
    let _asked = socket.read(&mut request).await.unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&body[..part(body.len())]).await.unwrap();
    socket.shutdown().await.unwrap();
}

async fn clips_under_one_upstream_id_are_not_charged_and_hold_nothing(mut app: TestApp) -> TestApp {
    // The first clip is turned away once, so that it is the older attempt that finds the id taken.
    let asked = AtomicUsize::new(0);
    let submit = move |submission: &Submission| match submission.clip {
        0 if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
            Err(ProviderError::refused(FailureCode::Transient, "", Some(500)))
        }
        _ => Ok(UpstreamId("the-same".into())),
    };
    app.app.providers.add(Arc::new(Upstream { submit, poll: |_: &Submission| failed() }));
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({ "count": 2 }))).await;
    assert_eq!(app.finished(&customer, &task).await["state"], json!("failed"));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_job_whose_follower_broke_down_is_taken_up_again(mut app: TestApp) -> TestApp {
    let polls = AtomicUsize::new(0);
    let poll = move |_: &Submission| match polls.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("an answer that nobody thought of"),
        _ => failed(),
    };
    app.app.providers.add(Arc::new(Upstream { submit: accept, poll }));
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    assert_eq!(app.finished(&customer, &task).await["state"], json!("failed"));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_job_of_a_worker_that_nobody_knows_is_taken_over(app: TestApp) -> TestApp {
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let nobody = sea_orm::prelude::Uuid::from_u128(7);
    app.fake.on_poll([tests::Step::Wait]);
    let task = app.generate(&customer, &wan(json!({}))).await;
    app.wait_for(&customer, &task, &["running"]).await;
    change_job(&app, &task, job::Column::Owner, nobody).await;
    change_job(&app, &task, job::Column::Fence, 7_i64).await;
    app.fake.go_on();
    assert_eq!(app.finished(&customer, &task).await["state"], json!("completed"));
    assert_eq!((app.fake.submissions().len(), app.fake.accepted()), (1, 1));
    app
}

async fn a_clip_that_nobody_stores_gives_everything_back(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    change_job(&app, &task, job::Column::Provider, "gone").await;
    change_job(&app, &task, job::Column::State, "storing").await;
    app.advance(4 * 3_600);
    let app = app.with_worker().await;
    let task = app.finished(&customer, &task).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("storage_error")));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn a_request_that_cannot_be_read_keeps_nobodys_credits(app: TestApp) -> TestApp {
    let customer = app.customer(Mode::Live, 100).await;
    let unreadable = app.generate(&customer, &wan(json!({}))).await;
    let other = app.generate(&customer, &wan(json!({}))).await;
    for task in [&unreadable, &other] {
        change_job(&app, task, job::Column::Provider, "gone").await;
    }
    let tx = app.app.db.begin().await.unwrap();
    let update = task_request::Entity::update_many().col_expr(task_request::Column::Request, Expr::value(""));
    update.filter(task_request::Column::TaskId.eq(id_of(&unreadable))).exec(&tx).await.unwrap();
    tx.commit().await.unwrap();
    app.advance(2 * 3_600);
    let app = app.with_worker().await;
    assert_eq!(app.finished(&customer, &other).await["state"], json!("expired"));
    // The unreadable one can't be shown, so its end shows in its job alone.
    let live = || job::Entity::find_by_id(id_of(&unreadable)).one(app.app.db.read());
    let ended = async { while live().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it ends as well");
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn what_is_canceled_while_the_provider_is_busy_is_not_sent_again(mut app: TestApp) -> TestApp {
    let (asked, sent) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (told, sends) = (asked.clone(), sent.clone());
    let (go_on, canceled) = std::sync::mpsc::channel::<()>();
    let canceled = Mutex::new(canceled);
    let submit = move |_: &Submission| {
        sends.fetch_add(1, Ordering::SeqCst);
        told.notify_one();
        // Answers once the task is canceled: then the sender is gone.
        let _gone = tokio::task::block_in_place(|| canceled.lock().unwrap().recv());
        Err(ProviderError::unavailable(""))
    };
    app.app.providers.add(Arc::new(Upstream { submit, poll: |_: &Submission| failed() }));
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    asked.notified().await;
    app.post(&customer, &format!("/api/ai/tasks/{task}/cancel"), &json!({})).await.expect(202);
    drop(go_on);
    assert_eq!(app.finished(&customer, &task).await["state"], json!("canceled"));
    assert_eq!(sent.load(Ordering::SeqCst), 1);
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}

async fn what_the_provider_stopped_by_itself_is_a_failure(mut app: TestApp) -> TestApp {
    app.app.providers.add(Arc::new(Upstream { submit: accept, poll: |_: &Submission| Progress::Canceled }));
    let app = app.with_worker().await;
    let customer = app.customer(Mode::Live, 100).await;
    let task = app.generate(&customer, &wan(json!({}))).await;
    let task = app.finished(&customer, &task).await;
    assert_eq!((&task["state"], &task["errorCode"]), (&json!("failed"), &json!("generation_failed")));
    assert_eq!(app.balance(&customer).await, (json!(100), json!(0)));
    app
}
