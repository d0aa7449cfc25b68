//! The program; everything it can do is in `reelmeter::command`.

use std::process::ExitCode;

/// A request makes some hundred short-lived objects, often freed by another thread than made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reelmeter::command::main()
}
