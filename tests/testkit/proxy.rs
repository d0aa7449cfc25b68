//! A proxy before PostgreSQL that loses connections when it matters most: around the COMMIT of money.
//!
//! It reads what is said message by message, so that it finds a COMMIT wherever it stands: alone or behind other statements,
//! as text or as a prepared statement. Money is what only the ledger's lane says: it locks accounts.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What marks a transaction of the lane.
const MONEY: &str = "FOR NO KEY UPDATE";
/// Below the ports that systems give to outgoing connections, so that nobody takes ours while we refuse.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The COMMIT does not arrive.
    Before,
    /// The COMMIT arrives, and its answer is lost.
    After,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Leads to the database through the proxy.
    pub url: String,
    server: String,
    plan: Arc<Mutex<Plan>>,
    /// Whether connections are taken; those that there are end when it is not.
    open: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Plan {
    cuts: VecDeque<Cut>,
    /// Refuse everybody after the last cut.
    then_refuse: bool,
}

impl Proxy {
    /// Stands before the database of a URL until the test ends.
    pub async fn start(url: &str) -> Proxy {
        let (scheme_and_user, rest) = url.rsplit_once('@').expect("a URL with a user");
        let (server, name) = rest.split_once('/').expect("a URL with a database");
        let (listener, port) = listen().await;
        let url = format!("{scheme_and_user}@127.0.0.1:{port}/{name}?sslmode=disable");
        let (server, open) = (server.to_owned(), watch::Sender::new(true));
        let proxy = Proxy { url, server, plan: Arc::default(), open };
        tokio::spawn(proxy.clone().run(listener, port));
        proxy
    }

    /// Cuts the connections that commit money next, one after the other.
    pub fn cut(&self, cuts: impl IntoIterator<Item = Cut>) {
        self.plan().cuts.extend(cuts);
    }

    /// Cuts the next one, and is away from then on.
    pub fn cut_and_refuse(&self, cut: Cut) {
        *self.plan() = Plan { cuts: [cut].into(), then_refuse: true };
    }

    /// How many cuts are still to come.
    pub fn cuts_left(&self) -> usize {
        self.plan().cuts.len()
    }

    /// Ends every connection and takes none, as a server that is away.
    pub fn refuse(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub fn admit(&self) {
        self.plan().then_refuse = false;
        self.open.send_replace(true);
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().expect("no test panics while it holds the plan")
    }

    async fn run(self, mut listener: TcpListener, port: u16) {
        let mut open = self.open.subscribe();
        loop {
            tokio::select! {
                () = until(&mut open, false) => {
                    drop(listener);
                    until(&mut open, true).await;
                    listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is still ours");
                }
                Ok((client, _)) = listener.accept() => drop(tokio::spawn(self.clone().connection(client))),
            }
        }
    }

    /// Ends, one way or another, with both sides cut off.
    async fn connection(self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.server).await else { return };
        for socket in [&client, &server] {
            socket.set_nodelay(true).expect("a socket that is open");
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (lost, mut open) = (AtomicBool::new(false), self.open.subscribe());
        let ended = tokio::select! {
            ended = self.statements(from_client, to_server, &lost) => ended,
            ended = answers(from_server, to_client, &lost) => ended,
            () = until(&mut open, false) => return,
        };
        if ended.is_ok() && self.plan().is_last() {
            self.refuse();
        }
    }

    /// Passes on what the client says, up to the COMMIT that must not arrive.
    async fn statements(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        lost: &AtomicBool,
    ) -> io::Result<()> {
        // The first message has no kind.
        to.write_all(&body(&mut from).await?).await?;
        let mut spoken = Spoken::default();
        loop {
            let message = message(&mut from).await?;
            if spoken.commits_money(&message) {
                match self.plan().next() {
                    Some(Cut::Before) => return Ok(()),
                    Some(Cut::After) => lost.store(true, Ordering::SeqCst),
                    None => {}
                }
            }
            to.write_all(&message).await?;
        }
    }
}

impl Plan {
    fn next(&mut self) -> Option<Cut> {
        self.cuts.pop_front()
    }

    fn is_last(&self) -> bool {
        self.cuts.is_empty() && self.then_refuse
    }
}

/// Waits until the proxy takes connections, or takes none any more.
async fn until(open: &mut watch::Receiver<bool>, is_open: bool) {
    // Refused once nobody can change it any more: then it stays as it is.
    let _gone = open.wait_for(|open| *open == is_open).await.is_ok();
}

/// Passes on what the server says, up to the answer that is to be lost.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lost: &AtomicBool) -> io::Result<()> {
    loop {
        let message = message(&mut from).await?;
        if lost.load(Ordering::SeqCst) && message.starts_with(b"C") && &message[5..] == b"COMMIT\0" {
            return Ok(());
        }
        to.write_all(&message).await?;
    }
}

/// What a client has said on a connection.
#[derive(Default)]
struct Spoken {
    prepared: HashMap<Vec<u8>, String>,
    is_money: bool,
}

impl Spoken {
    /// Whether this message commits a transaction of the lane.
    fn commits_money(&mut self, message: &[u8]) -> bool {
        let mut words = message[5..].split(|byte| *byte == 0);
        let mut word = || words.next().unwrap_or_default();
        let statement = match message[0] {
            b'Q' => String::from_utf8_lossy(word()).into_owned(),
            b'P' => {
                let name = word().to_vec();
                self.prepared.insert(name, String::from_utf8_lossy(word()).into_owned());
                return false;
            }
            b'B' => {
                let _portal = word();
                self.prepared.get(word()).cloned().unwrap_or_default()
            }
            _ => return false,
        };
        self.is_money |= statement.contains(MONEY);
        let is_commit = statement.trim_end_matches([';', ' ']).to_ascii_uppercase().ends_with("COMMIT");
        let is_over = is_commit || statement.to_ascii_uppercase().starts_with("ROLLBACK");
        let commits_money = is_commit && self.is_money;
        self.is_money &= !is_over;
        commits_money
    }
}

/// A message as it travels: its kind, its length and what it says.
async fn message(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut message = vec![from.read_u8().await?];
    message.extend(body(from).await?);
    Ok(message)
}

async fn body(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut body = vec![0; length as usize];
    body[..4].copy_from_slice(&length.to_be_bytes());
    from.read_exact(&mut body[4..]).await?;
    Ok(body)
}

async fn listen() -> (TcpListener, u16) {
    loop {
        let port = rand::random_range(PORTS);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return (listener, port);
        }
    }
}
