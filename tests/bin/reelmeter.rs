//! The program as its users start it, built beside the tests so that they can, and so that it dies where they want it to.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `POINT:N`: the process aborts when it comes to that point for the N-th time.
const CRASH_AT: &str = "TEST_CRASH_AT";

fn main() -> ExitCode {
    let crash = std::env::var(CRASH_AT).ok();
    if let Some((point, hit)) = crash.as_deref().and_then(|crash| crash.split_once(':')) {
        let left = AtomicUsize::new(hit.parse().expect("a number"));
        let armed = fail::cfg_callback(point, move || {
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                std::process::abort();
            }
        });
        armed.expect("a point");
    }
    reelmeter::command::main()
}
