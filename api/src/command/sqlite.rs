//! The file of a SQLite database: one server a file, and never without the secret that its journal was signed with.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};

use crate::app;
use crate::config::Config;

/// Keeps every other server away from a SQLite file for as long as it lives, also if this process is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Makes the folders of a SQLite database and takes its lock. `None` on PostgreSQL, which needs neither.
pub fn open(config: &Config) -> anyhow::Result<Option<Lock>> {
    let Some(database) = config.sqlite_file() else { return Ok(None) };
    make_private_folder(&config.data_dir)?;
    if let Some(folder) = database.parent() {
        make_private_folder(folder)?;
    }
    let lock = lock(&database)?;
    secret(config, &database)?;
    Ok(Some(lock))
}

/// Refuses to go on when there is no database yet, instead of making an empty one.
pub fn require(config: &Config) -> anyhow::Result<()> {
    let Some(database) = config.sqlite_file() else { return Ok(()) };
    if !database.exists() {
        bail!(
            "there is no database at {}: run `reelmeter serve` or `reelmeter migrate` first",
            database.display()
        );
    }
    secret(config, &database)
}

fn make_private_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).with_context(|| format!("cannot create the folder {}", folder.display()))
}

/// `data/reelmeter.db` has the lock file `data/reelmeter.lock`. The file stays: removing it would let a third server lock a
/// new one while a second still waits on the old.
fn lock(database: &Path) -> anyhow::Result<Lock> {
    let path = database.with_extension("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another server is running on {}: stop it first, or set REELMETER_DATA_DIR",
                database.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Makes the secret of a new database. One that exists needs the one it was made with: a new secret would break its journal.
fn secret(config: &Config, database: &Path) -> anyhow::Result<()> {
    let file = config.data_dir.join("secret");
    if config.secret.is_none() && database.exists() && !file.exists() {
        bail!(
            "{} is there, but its secret {} is not: put the file back or set REELMETER_SECRET",
            database.display(),
            file.display()
        );
    }
    app::read_secret(config).map(drop)
}
