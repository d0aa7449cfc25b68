//! The command line as its users start it, built beside the tests so that they can.

use std::process::ExitCode;

fn main() -> ExitCode {
    reel::main()
}
