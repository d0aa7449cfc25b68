//! `reel completion`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

const AFTER_HELP: &str = "\
Examples:
  reel completion bash > ~/.local/share/bash-completion/completions/reel
  reel completion zsh > \"${fpath[1]}/_reel\"
  reel completion fish > ~/.config/fish/completions/reel.fish
  reel completion powershell >> $PROFILE";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CompletionArgs {
    /// The shell to write it for
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &CompletionArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::Args::command(), "reel", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}
