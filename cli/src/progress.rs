//! What is told meanwhile, on stderr: a bar on a terminal, a line for each change elsewhere, nothing when quiet is wanted.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Global;
use crate::task::Task;

const TICK: Duration = Duration::from_millis(120);
const TASK: &str = "{spinner:.cyan} {prefix:<11} {bar:24.cyan/dim} {pos:>3}%  {elapsed}  {msg}";
const BYTES: &str =
    "{spinner:.cyan} {prefix:<11} {bar:24.cyan/dim} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta}";

#[derive(Debug)]
pub struct Progress {
    manner: Manner,
    /// What was told last.
    told: String,
}

#[derive(Debug)]
enum Manner {
    Quiet,
    Lines,
    Bar(ProgressBar),
}

impl Progress {
    pub fn new(global: &Global) -> Progress {
        let manner = match () {
            () if global.quiet => Manner::Quiet,
            () if std::io::stderr().is_terminal() => Manner::Bar(ProgressBar::hidden()),
            () => Manner::Lines,
        };
        Progress { manner, told: String::new() }
    }

    /// Tells nothing, for one of many.
    pub fn quiet() -> Progress {
        Progress { manner: Manner::Quiet, told: String::new() }
    }

    /// Tells how far a task is.
    pub fn task(&mut self, task: &Task) {
        let state = task.state();
        match &mut self.manner {
            Manner::Quiet => {}
            Manner::Lines => {
                let line = format!("{} {state}", task.id());
                if self.told != line {
                    eprintln!(
                        "{line} ({} credits {})",
                        task.credits(),
                        if task.has_ended() { "charged" } else { "held" }
                    );
                    self.told = line;
                }
            }
            Manner::Bar(bar) => {
                if bar.is_hidden() {
                    *bar = visible(100, TASK);
                }
                bar.set_prefix(state.to_owned());
                bar.set_position(task.percent());
                bar.set_message(format!("{} credits held", task.credits()));
                if task.has_ended() {
                    bar.finish_and_clear();
                    *bar = ProgressBar::hidden();
                }
            }
        }
    }

    /// Begins with a download of so many bytes.
    pub fn download(&mut self, total: u64, what: &str) {
        match &mut self.manner {
            Manner::Quiet => {}
            Manner::Lines => eprintln!("downloading {what} ({total} bytes)"),
            Manner::Bar(bar) => {
                *bar = visible(total, BYTES);
                bar.set_prefix("downloading");
            }
        }
    }

    /// So many bytes are there.
    pub fn bytes(&mut self, count: u64) {
        if let Manner::Bar(bar) = &self.manner {
            bar.set_position(count);
        }
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if let Manner::Bar(bar) = &mut self.manner {
            bar.finish_and_clear();
            *bar = ProgressBar::hidden();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn visible(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(TICK);
    bar
}
