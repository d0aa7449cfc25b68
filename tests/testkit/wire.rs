//! HTTP/1.1 by hand, so that an answer can be wrong below HTTP as well: broken off, too slow, or of another length than it says.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What was asked, with its body if that is JSON.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What it says of its length, which may be a lie.
    length: usize,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    Whole,
    /// Whole, one byte at a time.
    Dripping,
    /// The connection is closed without a word.
    Lost,
    /// The connection is closed in the middle of the body.
    Cut,
    /// Nothing more comes after the middle of the body, but the connection stays open.
    Stuck,
    /// The body comes again and again.
    Endless,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::of(status, "application/json", body.to_string().into_bytes())
    }

    pub fn page(status: u16, text: &str) -> Answer {
        Answer::of(status, "text/html", text.as_bytes().to_vec())
    }

    pub fn video(bytes: Vec<u8>) -> Answer {
        Answer::of(200, "video/mp4", bytes)
    }

    pub fn of(status: u16, kind: &str, body: Vec<u8>) -> Answer {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Answer { status, headers, length: body.len(), body }
    }

    pub fn with_status(self, status: u16) -> Answer {
        Answer { status, ..self }
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that it is of another length than it is.
    pub fn claiming(self, length: usize) -> Answer {
        Answer { length, ..self }
    }

    /// The same JSON with some members changed.
    pub fn changed(self, members: &Value) -> Answer {
        let mut body: Value = serde_json::from_slice(&self.body).expect("JSON");
        for (name, value) in members.as_object().expect("members") {
            body[name] = value.clone();
        }
        Answer::json(self.status, &body)
    }

    fn head(&self, ending: Ending) -> String {
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let length = match ending {
            Ending::Endless => "connection: close".to_owned(),
            _ => format!("content-length: {}", self.length),
        };
        head + &length + "\r\n\r\n"
    }
}

pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn new(stream: TcpStream) -> Connection {
        Connection(BufReader::new(stream))
    }

    /// The next request; none when the other side has gone.
    pub async fn read(&mut self) -> io::Result<Option<Request>> {
        let (mut first, mut length, mut headers) = (String::new(), 0, Vec::new());
        if self.0.read_line(&mut first).await? == 0 {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            }
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Some(Request { method, path, headers, body, bytes }))
    }

    /// Sends an answer; false when the connection is to be closed after it.
    pub async fn write(&mut self, answer: &Answer, ending: Ending) -> io::Result<bool> {
        let half = answer.body.len() / 2;
        match ending {
            Ending::Lost => return Ok(false),
            Ending::Whole => {
                let whole = [answer.head(ending).as_bytes(), &answer.body].concat();
                self.0.write_all(&whole).await?;
            }
            Ending::Dripping => {
                self.0.write_all(answer.head(ending).as_bytes()).await?;
                for byte in &answer.body {
                    self.0.write_all(&[*byte]).await?;
                    tokio::task::yield_now().await;
                }
            }
            Ending::Cut | Ending::Stuck => {
                self.0.write_all(&[answer.head(ending).as_bytes(), &answer.body[..half]].concat()).await?;
                if matches!(ending, Ending::Stuck) {
                    self.gone().await;
                }
                return Ok(false);
            }
            Ending::Endless => {
                self.0.write_all(answer.head(ending).as_bytes()).await?;
                loop {
                    self.0.write_all(&answer.body).await?;
                }
            }
        }
        Ok(answer.length == answer.body.len())
    }

    /// Until the other side has gone.
    async fn gone(&mut self) {
        let mut rest = [0; 64];
        while self.0.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}
