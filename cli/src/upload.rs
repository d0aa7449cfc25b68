//! Images and videos of an order: what lies on this machine is uploaded, everything else is passed on.

use std::path::Path;

use reqwest::Body;
use tokio_util::io::ReaderStream;

use crate::client::Client;
use crate::failure::Failure;

/// Addresses, which may have commas in them.
const ADDRESSES: [&str; 3] = ["https://", "http://", "data:"];
/// Ids of uploads and of tasks.
const IDS: [&str; 2] = ["upl_", "tsk_"];

/// Splits what was given with commas. A comma ends an input only where the next one begins, because addresses have commas of
/// their own.
pub fn split(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|text| pieces(text)).collect()
}

fn pieces(text: &str) -> Vec<String> {
    if Path::new(text).is_file() {
        return vec![text.to_owned()];
    }
    let mut found: Vec<String> = Vec::new();
    for piece in text.split(',') {
        let begins = is_named(piece.trim()) || Path::new(piece.trim()).is_file();
        match found.last_mut() {
            Some(last) if !begins && starts(last, &ADDRESSES) => {
                last.push(',');
                last.push_str(piece);
            }
            _ => found.push(piece.trim().to_owned()),
        }
    }
    found.retain(|piece| !piece.is_empty());
    found
}

/// Whether the server reads it as something else than a file's name.
fn is_named(text: &str) -> bool {
    starts(text, &ADDRESSES) || starts(text, &IDS)
}

fn starts(text: &str, starts: &[&str]) -> bool {
    let is_it = |start: &&str| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    starts.iter().any(is_it)
}

/// Names each input in a way that the server can read it.
pub async fn bring(client: &Client, inputs: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut brought = Vec::with_capacity(inputs.len());
    for input in inputs {
        brought.push(bring_one(client, input).await?);
    }
    Ok(brought)
}

pub async fn bring_one(client: &Client, input: String) -> Result<String, Failure> {
    let path = Path::new(&input);
    if is_named(&input) {
        return Ok(input);
    }
    if path.is_file() {
        return send(client, path).await;
    }
    let is_a_name = input.contains(['/', '\\', '.']);
    if is_a_name {
        return Err(Failure::usage(format!("there is no file {input}"))
            .hint("An input is a file here, an https address, the id of an upload (upl_…) or of a completed task (tsk_…)."));
    }
    Ok(input)
}

async fn send(client: &Client, path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let file =
        tokio::fs::File::open(path).await.map_err(Failure::local(format!("could not read {shown}")))?;
    let length = file.metadata().await.map_err(Failure::local(format!("could not read {shown}")))?.len();
    let body = Body::wrap_stream(ReaderStream::new(file));
    let answer = client.upload("/api/uploads", length, body).await;
    let answer = answer.map_err(|failure| {
        let message = format!("{shown}: {}", failure.message);
        failure.say(message)
    })?;
    let id = answer["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Failure::local("the upload has no id")(client.host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_ends_an_input_only_where_the_next_one_begins() {
        for (text, inputs) in [
            ("https://a.example/x,y.png,upl_1", vec!["https://a.example/x,y.png", "upl_1"]),
            ("upl_1,tsk_2,cat.png", vec!["upl_1", "tsk_2", "cat.png"]),
            (
                "data:image/png;base64,AAAA, https://b.example/z",
                vec!["data:image/png;base64,AAAA", "https://b.example/z"],
            ),
            ("cat.png,dog.png,", vec!["cat.png", "dog.png"]),
        ] {
            assert_eq!(split(&[text.to_owned()]), inputs, "{text}");
        }
    }
}
