//! Everything that is left when a story has ended, as text that is the same in each run: without times, hashes and ids.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use entity::{
    account, attempt, clip, delivery, event, grant, hold, job, promotion, redemption, task, transfer,
};
use reelmeter::db::Db;
use reelmeter::media::digest_file;
use sea_orm::{EntityTrait, QueryOrder};

use super::site::Site;

impl Site {
    /// The final state of money, tasks and what was told of them.
    pub async fn left(&self) -> String {
        let db = self.db().await;
        let lines = [money(&db).await, promises(&db).await, work(&db).await, told(&db).await].concat();
        let text = nameless(&db, lines.join("\n")).await;
        db.close().await.unwrap();
        text
    }

    /// In storage is each delivered clip, whole and once, and nothing else. Where clips are made nothing is left. Not counted
    /// is what was half drawn or half written by a process that died: that is swept when it is old.
    pub async fn assert_stored(&self) {
        let db = self.db().await;
        let clips = clip::Entity::find().all(db.read()).await.unwrap();
        db.close().await.unwrap();
        let storage = self.data().join("clips");
        let mut wanted = BTreeSet::new();
        for clip in clips.into_iter().filter(|clip| clip.storage_key.is_some()) {
            let path = storage.join(clip.storage_key.unwrap());
            let stored = digest_file(&path).await.unwrap();
            assert_eq!(Some(stored.sha256.to_vec()), clip.sha256, "{}", path.display());
            assert_eq!(i64::try_from(stored.bytes).ok(), clip.bytes);
            wanted.insert(path);
        }
        let files = |folder: &Path| {
            let mut found = BTreeSet::new();
            collect(folder, &mut |path| found.extend([path.to_owned()]));
            found.retain(|path| !is_unfinished(path));
            found
        };
        assert_eq!(files(&storage), wanted);
        assert_eq!(files(&self.data().join("scratch")), BTreeSet::new());
    }

    /// How often the attempt was sent that was sent most often.
    pub async fn most_sends(&self) -> i64 {
        let db = self.db().await;
        let attempts = attempt::Entity::find().all(db.read()).await.unwrap();
        db.close().await.unwrap();
        attempts.iter().map(|attempt| attempt.sends).max().unwrap_or_default()
    }
}

fn is_unfinished(path: &Path) -> bool {
    reelmeter::media::is_unfinished(path) || path.extension().is_some_and(|extension| extension == "part")
}

fn collect(folder: &Path, found: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, found) } else { found(&path) }
    }
}

async fn money(db: &Db) -> Vec<String> {
    let accounts = account::Entity::find().order_by_asc(account::Column::Mode).all(db.read()).await.unwrap();
    let transfers =
        transfer::Entity::find().order_by_asc(transfer::Column::Seq).all(db.read()).await.unwrap();
    let grants = grant::Entity::find().order_by_asc(grant::Column::CreatedAt).all(db.read()).await.unwrap();
    let holds = hold::Entity::find().all(db.read()).await.unwrap();
    let accounts = accounts.iter().map(|row| {
        let account::Model { mode, credited, debited, held, debt, seq, event_seq, .. } = row;
        format!("account {mode:?}: credited {credited}, debited {debited}, held {held}, debt {debt}, {seq} transfers, {event_seq} events")
    });
    let transfers = transfers.iter().map(|row| {
        let transfer::Model { seq, kind, debit, credit, amount, available_after, held_after, reference, .. } = row;
        format!("transfer {seq}: {kind:?} {amount}, {debit:?} → {credit:?}, then {available_after} + {held_after}, {reference:?}")
    });
    let grants = grants.iter().map(|row| {
        let grant::Model { class, original, remaining, held, consumed, expired, voided, .. } = row;
        format!("grant {class:?} of {original}: remaining {remaining}, held {held}, consumed {consumed}, expired {expired}, voided {voided}")
    });
    let holds = holds.iter().map(|row| {
        let hold::Model { amount, captured, released, refunded, state, .. } = row;
        format!("hold of {amount}: {state:?}, captured {captured}, released {released}, refunded {refunded}")
    });
    accounts.chain(transfers).chain(grants).chain(holds).collect()
}

async fn promises(db: &Db) -> Vec<String> {
    let promotions = promotion::Entity::find().all(db.read()).await.unwrap();
    let redemptions = redemption::Entity::find().all(db.read()).await.unwrap();
    let promotions = promotions.iter().map(|row| {
        format!("promotion {}: {} of {} redeemed", row.code, row.redemptions, row.redemptions_max)
    });
    let redemptions = redemptions
        .iter()
        .map(|row| format!("redemption of {}: granted {}", row.code, row.granted_at.is_some()));
    promotions.chain(redemptions).collect()
}

async fn work(db: &Db) -> Vec<String> {
    let tasks = task::Entity::find().all(db.read()).await.unwrap();
    let jobs = job::Entity::find().all(db.read()).await.unwrap();
    let attempts = attempt::Entity::find().order_by_asc(attempt::Column::N).all(db.read()).await.unwrap();
    let clips = clip::Entity::find().order_by_asc(clip::Column::Idx).all(db.read()).await.unwrap();
    let tasks = tasks.iter().map(|row| {
        let task::Model { state, clips, credits, error_code, terminal_at, .. } = row;
        format!(
            "task: {state:?}, {clips} clips for {credits}, error {error_code:?}, ended {}",
            terminal_at.is_some()
        )
    });
    let jobs = jobs.iter().map(|row| format!("job: {:?}", row.state));
    let attempts = attempts.iter().map(|row| {
        let attempt::Model { n, clip_from, state, error_code, upstream_id, outcome, accepted_at, ended_at, .. } = row;
        let marks = [upstream_id.is_some(), outcome.is_some(), accepted_at.is_some(), ended_at.is_some()];
        format!("attempt {n} of clip {clip_from}: {state:?}, error {error_code:?}, id, outcome, accepted, ended {marks:?}")
    });
    let clips = clips.iter().map(|row| {
        let clip::Model { idx, state, attempt_n, millis, width, height, error_code, .. } = row;
        format!("clip {idx}: {state:?} by {attempt_n:?}, {millis:?} ms, {width:?} × {height:?}, error {error_code:?}")
    });
    tasks.chain(jobs).chain(attempts).chain(clips).collect()
}

async fn told(db: &Db) -> Vec<String> {
    let events = event::Entity::find().order_by_asc(event::Column::N).all(db.read()).await.unwrap();
    let deliveries = delivery::Entity::find().all(db.read()).await.unwrap();
    let events = events.iter().map(|row| format!("event {}: {} {}", row.n, row.r#type, row.body));
    let deliveries = deliveries.iter().map(|row| {
        let delivery::Model { event_n, state, tries, last_status, last_error, .. } = row;
        format!("webhook of event {event_n}: {state:?} after {tries}, {last_status:?} {last_error:?}")
    });
    events.chain(deliveries).collect()
}

/// Puts a word in the place of each id.
async fn nameless(db: &Db, mut text: String) -> String {
    for account in account::Entity::find().all(db.read()).await.unwrap() {
        text = text.replace(&account.id.to_string(), "ACCOUNT");
    }
    for task in task::Entity::find().all(db.read()).await.unwrap() {
        text = text.replace(&task.id.to_string(), "TASK");
    }
    text
}
