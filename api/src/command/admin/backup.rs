//! `admin backup FILE`: a consistent copy of a SQLite database, also while a server writes to it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::app;
use crate::command::Answer;
use crate::command::desk::Desk;
use crate::db::Db;

#[derive(Debug, Args)]
pub struct Backup {
    /// Where the copy goes; must not exist yet
    file: PathBuf,
}

impl Backup {
    pub async fn run(self, desk: &Desk) -> anyhow::Result<Answer> {
        if desk.db.is_postgres() {
            bail!("a PostgreSQL database is backed up with its own tools: pg_dump, or continuous archiving");
        }
        let path = std::path::absolute(&self.file)?;
        reserve(&path)?;
        if let Err(error) = copy(desk, &path).await {
            // Only the empty file that was made above, or half a copy.
            let _removed = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Answer::good(format!(
            "{} is a copy of the database; clips, and the secret that its journal is signed with, are not in it",
            path.display()
        )))
    }
}

/// An empty file that only its owner can read: the database fills it, and refuses any other that exists.
fn reserve(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        bail!("{} exists: a backup never replaces a file", path.display());
    }
    app::write_private(path, "")
}

async fn copy(desk: &Desk, path: &Path) -> anyhow::Result<()> {
    let target = path.to_str().context("the file's name has to be valid Unicode")?;
    // Reads one snapshot. Not in a transaction, which it can't be; it writes nothing to the database itself.
    let vacuum = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [target.into()]);
    desk.db.schema().execute_raw(vacuum).await.context("cannot copy the database")?;
    let copied = Db::connect(&format!("sqlite:{target}")).await?;
    copied.mark_backup(true).await?;
    copied.close().await?;
    File::open(path)?.sync_all().context("cannot write the copy to the disk")
}
