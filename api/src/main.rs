//! The program; everything it can do is in `reelmeter::command`.

use std::process::ExitCode;

fn main() -> ExitCode {
    reelmeter::command::main()
}
