use super::*;
use object_store::memory::InMemory;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

fn in_directory() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Url::from_directory_path(dir.path().join("clips")).unwrap().as_str()).unwrap();
    (dir, store)
}

fn in_bucket() -> Store {
    Store { objects: Arc::new(PrefixStore::new(InMemory::new(), "pre/fix")), folder: None }
}

fn source(parts: Vec<Bytes>) -> impl Stream<Item = io::Result<Bytes>> + Unpin {
    futures_util::stream::iter(parts.into_iter().map(Ok))
}

async fn put(store: &Store, key: &str, content: &[u8]) -> Stored {
    store.put_stream(key, source(vec![Bytes::copy_from_slice(content)]), u64::MAX).await.unwrap()
}

async fn read(store: &Store, key: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
    let chunks: Vec<Bytes> = store.read(key, range).await?.try_collect().await?;
    Ok(chunks.concat())
}

async fn keys(store: &Store, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = store.list(prefix).map_ok(|meta| meta.key).try_collect().await.unwrap();
    keys.sort();
    keys
}

fn files_below(dir: &FilePath) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

async fn a_clip_lives_and_dies(store: &Store) {
    assert_eq!(store.head("clips/a/1.mp4").await.unwrap(), None);
    let stored = put(store, "clips/a/1.mp4", b"0123456789").await;
    assert_eq!(stored.bytes, 10);
    let meta = store.head("clips/a/1.mp4").await.unwrap().unwrap();
    assert_eq!((meta.key.as_str(), meta.bytes), ("clips/a/1.mp4", 10));
    assert_eq!(read(store, "clips/a/1.mp4", 2..5).await.unwrap(), b"234");
    assert_eq!(read(store, "clips/a/1.mp4", 0..10).await.unwrap(), b"0123456789");
    assert_eq!(read(store, "clips/a/1.mp4", 0..0).await.unwrap(), b"");
    store.delete("clips/a/1.mp4").await.unwrap();
    store.delete("clips/a/1.mp4").await.unwrap();
    assert_eq!(store.head("clips/a/1.mp4").await.unwrap(), None);
    assert!(matches!(read(store, "clips/a/1.mp4", 0..1).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_clip_lives_and_dies_in_a_directory() {
    let (dir, store) = in_directory();
    a_clip_lives_and_dies(&store).await;
    assert_eq!(std::fs::read_dir(dir.path().join("clips")).unwrap().count(), 0, "empty folders go too");
}

#[tokio::test]
async fn a_clip_lives_and_dies_in_a_bucket() {
    a_clip_lives_and_dies(&in_bucket()).await;
}

#[tokio::test]
async fn a_range_beyond_the_object_is_an_error_and_not_a_short_body() {
    for store in [in_directory().1, in_bucket()] {
        put(&store, "clip", b"0123").await;
        assert!(matches!(read(&store, "clip", 2..5).await, Err(StoreError::Short(_))));
        assert!(read(&store, "clip", 4..5).await.is_err());
    }
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_and_comes_back_whole() {
    let content: Vec<u8> = (0..PART_BYTES * 2 + 5).map(|i| (i % 251) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made");
    std::fs::write(&path, &content).unwrap();
    let (_kept, files) = in_directory();
    for store in [files, in_bucket()] {
        let stored = store.put_file("clip", &path).await.unwrap();
        assert_eq!(stored, crate::media::digest_file(&path).await.unwrap());
        assert!(read(&store, "clip", 0..content.len() as u64).await.unwrap() == content);
    }
}

#[tokio::test]
async fn a_stream_over_its_limit_leaves_nothing_behind() {
    let (dir, store) = in_directory();
    let part = Bytes::from(vec![7; PART_BYTES]);
    let limit_bytes = 2 * PART_BYTES as u64 + 1;
    let refused = store.put_stream("a/clip", source(vec![part; 3]), limit_bytes).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    assert_eq!(store.head("a/clip").await.unwrap(), None);
    assert_eq!(files_below(dir.path()), 0);
}

#[tokio::test]
async fn a_failing_source_keeps_what_was_there_before() {
    let (_dir, store) = in_directory();
    put(&store, "clip", b"old").await;
    let parts = vec![Ok(Bytes::from_static(b"new")), Err(io::Error::other("cut"))];
    let failed = store.put_stream("clip", futures_util::stream::iter(parts), 100).await;
    assert!(matches!(failed, Err(StoreError::Source(_))));
    assert_eq!(read(&store, "clip", 0..3).await.unwrap(), b"old");
}

#[tokio::test]
async fn a_list_is_by_folder_and_names_whole_keys() {
    let (_dir, files) = in_directory();
    for store in [files, in_bucket()] {
        for key in ["clips/a/1", "clips/ab/2", "other/3"] {
            put(&store, key, b"x").await;
        }
        assert_eq!(keys(&store, "clips").await, ["clips/a/1", "clips/ab/2"]);
        assert_eq!(keys(&store, "clips/a").await, ["clips/a/1"]);
        assert_eq!(keys(&store, "").await, ["clips/a/1", "clips/ab/2", "other/3"]);
        assert_eq!(keys(&store, "nowhere").await, [""; 0]);
    }
}

#[tokio::test]
async fn a_key_can_not_leave_the_directory() {
    let (dir, store) = in_directory();
    std::fs::write(dir.path().join("secret"), b"x").unwrap();
    for key in ["../secret", "clips/../../secret", "a//b"] {
        assert!(store.head(key).await.is_err(), "{key}");
        assert!(read(&store, key, 0..1).await.is_err(), "{key}");
    }
}

#[test]
fn a_storage_url_of_another_kind_is_refused() {
    for url in ["", "data", "http://bucket/", "file://host/dir", "gs://bucket"] {
        assert!(matches!(Store::open(url), Err(StoreError::Url(_))), "{url}");
    }
}

#[test]
fn a_clip_key_holds_task_clip_attempt_and_hash_and_spreads_by_the_random_end_of_the_id() {
    let task = Uuid::parse_str("0190aabb-ccdd-7eee-8fff-0011223344a5").unwrap();
    let mut sha256 = [0xAB; 32];
    sha256[7] = 0x01;
    assert_eq!(
        clip_key(task, 2, 3, &sha256),
        "clips/a5/0190aabb-ccdd-7eee-8fff-0011223344a5/2-3-ababababababab01.mp4"
    );
}

/// Enough of S3 to take one small object: answers one `PUT` and tells its request line and body.
async fn take_one_put(listener: TcpListener) -> (String, Vec<u8>) {
    let mut socket = TcpStream::from_std(listener.accept().await.unwrap().0.into_std().unwrap()).unwrap();
    let mut request = Vec::new();
    let body_at = loop {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&request[..body_at]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let whole = body_at + length.parse::<usize>().unwrap();
    while request.len() < whole {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0);
    }
    socket.write_all(b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    (head.lines().next().unwrap().to_owned(), request[body_at..].to_vec())
}

#[tokio::test]
async fn an_s3_url_puts_below_its_prefix_over_the_plain_endpoint_it_was_given() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = AmazonS3Builder::new()
        .with_endpoint(format!("http://{}", listener.local_addr().unwrap()))
        .with_access_key_id("id")
        .with_secret_access_key("secret");
    let store = Store::bucket(builder, &Url::parse("s3://my.bucket/pre/fix/").unwrap()).unwrap();
    let (stored, (line, body)) = tokio::join!(put(&store, "clips/a", b"bytes"), take_one_put(listener));
    assert_eq!(stored.bytes, 5);
    assert_eq!((line.as_str(), body.as_slice()), ("put /my.bucket/pre/fix/clips/a http/1.1", &b"bytes"[..]));
}
