//! What the framework can do at best: a handler that answers the same bytes to everything.

use std::path::PathBuf;

use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{EndpointExt, Response, endpoint::make_sync};

use crate::process::LISTENING;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(long)]
    status: u16,
    /// The file with the body.
    #[arg(long)]
    body: PathBuf,
}

pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let status = StatusCode::from_u16(arguments.status)?;
    let body = std::fs::read_to_string(arguments.body)?;
    let answer = make_sync(move |_| {
        Response::builder().status(status).content_type("application/json; charset=utf-8").body(body.clone())
    });
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr()[0].to_string();
    println!("{LISTENING}{}", address.trim_start_matches("socket://"));
    poem::Server::new_with_acceptor(acceptor).run(answer.boxed()).await?;
    Ok(())
}
