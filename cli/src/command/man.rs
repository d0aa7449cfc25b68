//! `reel man`.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::output;

const AFTER_HELP: &str = "\
Examples:
  reel man | man -l -
  reel man --out ~/.local/share/man/man1";

#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ManArgs {
    /// Write a page for each command into this folder, instead of one to stdout
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub fn run(global: &Global, args: &ManArgs) -> Result<(), Failure> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        Man::new(crate::args::Args::command())
            .render(&mut page)
            .map_err(Failure::local("could not write the page"))?;
        return output::line(String::from_utf8_lossy(&page).trim_end());
    };
    let pages = write(folder).map_err(Failure::local(format!("could not write to {}", folder.display())))?;
    if global.json {
        return output::json(&json!({ "folder": folder, "pages": pages }));
    }
    pages.iter().try_for_each(|page| output::line(&folder.join(page).display().to_string()))
}

/// Answers the names of the pages.
fn write(folder: &Path) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(folder)?;
    let mut root = crate::args::Args::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    page(&root, folder, &mut pages)?;
    Ok(pages)
}

fn page(command: &clap::Command, folder: &Path, pages: &mut Vec<String>) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    man.generate_to(folder)?;
    pages.push(man.get_filename());
    let mut inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
    inner.try_for_each(|inner| page(inner, folder, pages))
}
