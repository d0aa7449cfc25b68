//! Clips onto this machine: a file that was not finished is gone on with, and nothing has its name before all of it is there
//! and is what the server has.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Method, StatusCode};
use sha2::{Digest, Sha256};

use crate::client::{Client, segment};
use crate::failure::{Exit, Failure};
use crate::progress::Progress;

/// Where a clip goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stdout,
    File(PathBuf),
}

impl Target {
    /// `-` is stdout; a folder gets a file named after the task.
    pub fn of(out: &Path, task: &str) -> Target {
        let text = out.to_string_lossy();
        match () {
            () if text == "-" => Target::Stdout,
            () if out.is_dir() || text.ends_with(['/', '\\']) => {
                Target::File(out.join(format!("{task}.mp4")))
            }
            () => Target::File(out.to_owned()),
        }
    }

    /// Of a task's further clips, counted from 0: `boat.mp4`, `boat-2.mp4` and so on.
    pub fn numbered(&self, index: u64) -> Target {
        match self {
            Target::File(path) if index > 0 => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let end =
                    path.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
                Target::File(path.with_file_name(format!("{stem}-{}{end}", index + 1)))
            }
            target => target.clone(),
        }
    }
}

/// What the server says about a clip before it is sent.
struct Facts {
    bytes: u64,
    etag: Option<String>,
    sha256: Option<Vec<u8>>,
}

impl Facts {
    fn of(headers: &HeaderMap) -> Facts {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let digest =
            text("repr-digest").and_then(|digest| digest.split("sha-256=:").nth(1)?.split(':').next());
        Facts {
            bytes: text(CONTENT_LENGTH.as_str()).and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
            etag: text(ETAG.as_str()).map(str::to_owned),
            sha256: digest.and_then(|digest| STANDARD.decode(digest).ok()),
        }
    }
}

/// Fetches one clip of a task.
pub async fn clip(
    client: &Client,
    task: &str,
    index: u64,
    target: &Target,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let path = format!("/api/ai/tasks/{}/content?index={index}", segment(task));
    let head = client.send(client.request(Method::HEAD, &path)).await?;
    let facts = Facts::of(head.headers());
    let fetch = Fetch { client, path, facts };
    match target {
        Target::Stdout => {
            progress.download(fetch.facts.bytes, "to stdout");
            let mut stdout = std::io::stdout();
            fetch.whole(&mut stdout, (0, Sha256::new()), progress).await?.check()
        }
        Target::File(file) => fetch.to_file(file, progress).await,
    }
}

struct Fetch<'a> {
    client: &'a Client,
    path: String,
    facts: Facts,
}

/// Whether what came is what the server has.
struct Fetched {
    is_whole: bool,
}

impl Fetched {
    fn check(&self) -> Result<(), Failure> {
        if self.is_whole {
            return Ok(());
        }
        Err(Failure::new(Exit::Other, "the clip arrived damaged: its digest is not the server's")
            .hint("Try again."))
    }
}

impl Fetch<'_> {
    async fn to_file(&self, file: &Path, progress: &mut Progress) -> Result<(), Failure> {
        let failed = || format!("could not write {}", file.display());
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(Failure::local(failed()))?;
        }
        let name =
            file.file_name().ok_or_else(|| Failure::usage(format!("{} names no file", file.display())))?;
        let part = file.with_file_name(format!("{}.part", name.to_string_lossy()));
        progress.download(self.facts.bytes, &format!("to {}", file.display()));
        let begun = self.begun(&part).map_err(Failure::local(failed()))?;
        let was_begun = begun.0 > 0;
        let mut fetched = self.append(&part, begun, progress).await?;
        if !fetched.is_whole && was_begun {
            // What lay there was of another clip.
            fetched = self.append(&part, (0, Sha256::new()), progress).await?;
        }
        if let Err(failure) = fetched.check() {
            let _ = std::fs::remove_file(&part);
            return Err(failure);
        }
        std::fs::rename(&part, file).map_err(Failure::local(failed()))
    }

    /// What an earlier try left: its length, and its digest so far.
    fn begun(&self, part: &Path) -> std::io::Result<(u64, Sha256)> {
        let mut digest = Sha256::new();
        match std::fs::File::open(part) {
            Ok(mut file) => {
                let length = read_into(&mut digest, &mut file)?;
                // More than there is can't be a beginning of it, and nothing can be asked for behind its end.
                Ok(if length < self.facts.bytes { (length, digest) } else { (0, Sha256::new()) })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((0, digest)),
            Err(error) => Err(error),
        }
    }

    async fn append(
        &self,
        part: &Path,
        begun: (u64, Sha256),
        progress: &mut Progress,
    ) -> Result<Fetched, Failure> {
        let failed = || format!("could not write {}", part.display());
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(part)
            .map_err(Failure::local(failed()))?;
        file.set_len(begun.0).map_err(Failure::local(failed()))?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).map_err(Failure::local(failed()))?;
        let fetched = self.whole(&mut file, begun, progress).await?;
        file.sync_all().map_err(Failure::local(failed()))?;
        Ok(fetched)
    }

    /// Writes the rest of the clip, and goes on where a connection broke as long as each brings something.
    async fn whole(
        &self,
        out: &mut (impl Write + ?Sized),
        (mut length, mut digest): (u64, Sha256),
        progress: &mut Progress,
    ) -> Result<Fetched, Failure> {
        while length < self.facts.bytes {
            let before = length;
            match self.stretch(out, &mut length, &mut digest, progress).await {
                Err(failure) if !failure.is_retryable || length == before => return Err(failure),
                Ok(()) if length == before => {
                    return Err(
                        Failure::new(Exit::Other, "the server sent nothing of the clip").hint("Try again.")
                    );
                }
                _ => {}
            }
        }
        out.flush().map_err(Failure::local("could not write the clip"))?;
        let is_whole =
            self.facts.sha256.as_ref().is_none_or(|sha256| digest.finalize().as_slice() == sha256.as_slice());
        Ok(Fetched { is_whole })
    }

    async fn stretch(
        &self,
        out: &mut (impl Write + ?Sized),
        length: &mut u64,
        digest: &mut Sha256,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let mut request = self.client.request(Method::GET, &self.path);
        if *length > 0 {
            request = request.header(RANGE, format!("bytes={length}-"));
            if let Some(etag) = &self.facts.etag {
                request = request.header(IF_RANGE, etag);
            }
        }
        let response = self.client.send(request).await?;
        if *length > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(Failure::new(Exit::Other, "the clip changed while it was fetched").hint("Try again."));
        }
        let mut stream = response.bytes_stream();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| Failure::network(error, self.client.host()))?;
            out.write_all(&bytes).map_err(Failure::local("could not write the clip"))?;
            digest.update(&bytes);
            *length += bytes.len() as u64;
            progress.bytes(*length);
        }
        Ok(())
    }
}

fn read_into(digest: &mut Sha256, file: &mut std::fs::File) -> std::io::Result<u64> {
    let (mut length, mut buffer) = (0, vec![0; 64 * 1024]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(length);
        }
        digest.update(buffer.get(..count).unwrap_or_default());
        length += count as u64;
    }
}
