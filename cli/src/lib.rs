//! `reel`, the command line of Reelmeter's customers. It talks HTTP only and works against any Reelmeter host.
//!
//! - [`args`] what can be typed, and the help; [`settings`] where host and key come from
//! - [`client`] requests, repeated where that is safe; [`failure`] why it went wrong, and the exit code
//! - [`moment`] days and times as people say them; [`schema`] JSON Schemas as tables
//! - [`output`] what goes to stdout; [`progress`] what goes to a terminal meanwhile
//! - [`order`] what is ordered; [`pending`] orders under way, so that none is paid twice; [`task`] following them
//! - [`upload`] files to the server; [`download`] clips from it
//! - [`command`] one file for each thing that can be done; [`mcp`] the same for assistants

mod args;
mod client;
mod command;
mod download;
mod failure;
mod mcp;
mod moment;
mod order;
mod output;
mod page;
mod pending;
mod price;
mod progress;
mod schema;
mod settings;
mod task;
mod upload;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use args::Args;
use failure::Failure;

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    // Another provider was installed before only if this runs within a program that did so: that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { failure::Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let as_json = args.global.json;
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(as_json, std::io::stderr().is_terminal());
            failure.exit.into()
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Failure::local("could not start"))?;
    let result = runtime.block_on(command::run(args));
    // What still waits for a terminal's input must not keep the program.
    runtime.shutdown_background();
    result
}
