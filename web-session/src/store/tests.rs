//! The same demands on both kinds of store. The database is SQLite in memory here; PostgreSQL has its turn in the scenarios.

use sea_orm::{ConnectOptions, ConnectionTrait, Database};

use super::*;

const NOW: i64 = 1_800_000_000 * SECOND;
const HOUR: i64 = 3_600 * SECOND;

const TABLE: &str = "CREATE TABLE session (id BLOB PRIMARY KEY, hash BLOB NOT NULL UNIQUE, user_id BLOB NOT NULL, \
     mode TEXT NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL, created_at INTEGER NOT NULL, \
     authenticated_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT";

async fn in_database() -> SessionStore {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let connection = Database::connect(options).await.unwrap();
    connection.execute_unprepared(TABLE).await.unwrap();
    SessionStore::database(connection.clone(), connection)
}

fn in_redis() -> SessionStore {
    let url = std::env::var("REELMETER_TEST_REDIS_URL")
        .expect("REELMETER_TEST_REDIS_URL is not set: run the tests with tests/run, which brings a Redis");
    SessionStore::redis(&url, "test").unwrap()
}

macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod database { $(#[tokio::test] async fn $name() { super::$name(super::in_database().await).await; })* }
        mod redis { $(#[tokio::test] async fn $name() { super::$name(super::in_redis()).await; })* }
    };
}

on_both_stores!(
    a_session_is_found_by_its_token_only,
    a_session_ends_when_idle_and_in_the_end_anyway,
    a_session_is_ended_by_its_own_person_only,
    all_sessions_of_a_person_end_but_one,
    a_rotated_session_has_a_new_token_and_stays_the_same,
    nothing_brings_an_ended_session_back,
);

fn new(user: Uuid) -> NewSession {
    let id = Uuid::from_u128(rand::random());
    NewSession { id, user, mode: "test".into(), address: "192.0.2.1".into(), agent: "Browser".into() }
}

fn person() -> Uuid {
    Uuid::from_u128(rand::random())
}

async fn a_session_is_found_by_its_token_only(store: SessionStore) {
    let long = NewSession { agent: "x\n".repeat(500), ..new(person()) };
    let (token, session) = store.create(long, NOW).await.unwrap();
    assert_eq!(session.agent, "x".repeat(200));
    assert_eq!(store.find(&token, NOW).await.unwrap(), Some(session.clone()));
    assert_eq!(store.find(&Token::random(), NOW).await.unwrap(), None);
    store.set_mode(&token, &session, "live").await.unwrap();
    assert_eq!(store.find(&token, NOW).await.unwrap().unwrap().mode, "live");
}

async fn a_session_ends_when_idle_and_in_the_end_anyway(store: SessionStore) {
    let (token, session) = store.create(new(person()), NOW).await.unwrap();
    assert!(store.find(&token, NOW + 12 * HOUR - 1).await.unwrap().is_some());
    assert!(store.find(&token, NOW + 12 * HOUR).await.unwrap().is_none());
    store.touch(&token, &session, NOW + 59 * SECOND).await.unwrap();
    assert_eq!(store.find(&token, NOW).await.unwrap().unwrap().seen_at, NOW);
    let mut now = NOW;
    while now < session.expires_at {
        let seen = store.find(&token, now).await.unwrap().unwrap();
        store.touch(&token, &seen, now).await.unwrap();
        now += 11 * HOUR;
    }
    assert!(store.find(&token, session.expires_at).await.unwrap().is_none());
    store.sweep(session.expires_at).await.unwrap();
    assert!(store.list(session.user, session.expires_at).await.unwrap().is_empty());
}

async fn a_session_is_ended_by_its_own_person_only(store: SessionStore) {
    let (own, other) = (person(), person());
    let (token, session) = store.create(new(own), NOW).await.unwrap();
    assert!(!store.end(other, session.id).await.unwrap());
    assert!(store.find(&token, NOW).await.unwrap().is_some());
    assert!(store.end(own, session.id).await.unwrap());
    assert!(!store.end(own, session.id).await.unwrap());
    assert!(store.find(&token, NOW).await.unwrap().is_none());
}

async fn all_sessions_of_a_person_end_but_one(store: SessionStore) {
    let (own, other) = (person(), person());
    let (_, first) = store.create(new(own), NOW).await.unwrap();
    let (token, second) = store.create(new(own), NOW + 1).await.unwrap();
    let (others, _) = store.create(new(other), NOW).await.unwrap();
    assert_eq!(store.list(own, NOW + 1).await.unwrap(), [second.clone(), first]);
    store.end_all(own, Some(second.id)).await.unwrap();
    assert_eq!(store.list(own, NOW + 1).await.unwrap(), [second]);
    store.end_all(own, None).await.unwrap();
    assert!(store.find(&token, NOW + 1).await.unwrap().is_none());
    assert!(store.find(&others, NOW + 1).await.unwrap().is_some());
}

async fn a_rotated_session_has_a_new_token_and_stays_the_same(store: SessionStore) {
    let (old, session) = store.create(new(person()), NOW).await.unwrap();
    let new = store.rotate(&old, &session, NOW + HOUR).await.unwrap().unwrap();
    assert!(store.find(&old, NOW + HOUR).await.unwrap().is_none());
    let rotated = Session { authenticated_at: NOW + HOUR, ..session.clone() };
    assert_eq!(store.find(&new, NOW + HOUR).await.unwrap(), Some(rotated));
    assert!(store.rotate(&old, &session, NOW + HOUR).await.unwrap().is_none());
    assert!(store.end(session.user, session.id).await.unwrap());
    assert!(store.find(&new, NOW + HOUR).await.unwrap().is_none());
}

async fn nothing_brings_an_ended_session_back(store: SessionStore) {
    let (token, session) = store.create(new(person()), NOW).await.unwrap();
    store.end(session.user, session.id).await.unwrap();
    store.touch(&token, &session, NOW + HOUR).await.unwrap();
    store.set_mode(&token, &session, "live").await.unwrap();
    assert!(store.rotate(&token, &session, NOW).await.unwrap().is_none());
    assert!(store.find(&token, NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn a_redis_that_is_down_is_an_error_and_not_a_missing_session() {
    let store = SessionStore::redis("redis://127.0.0.1:1/", "test").unwrap();
    assert!(matches!(store.find(&Token::random(), NOW).await, Err(StoreError::Redis(_))));
}
