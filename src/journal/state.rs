//! The folder in which runs are kept: the database, the key, the locks. It knows no engine; what it needs of the outside is given to it.

use super::JournalError;
use super::database::{connect, connect_to_read, prepare};
use super::key::SealingKey;
use crate::ports::{Clock, Host, Ports, Random};
use rusqlite::Connection;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

/// What a state folder needs of the outside.
#[derive(Clone)]
pub struct Outside {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// This machine.
    pub host: Arc<dyn Host>,
}

impl From<&Ports> for Outside {
    fn from(ports: &Ports) -> Self {
        Self { clock: Arc::clone(&ports.clock), random: Arc::clone(&ports.random), host: Arc::clone(&ports.host) }
    }
}

/// A folder that keeps runs. Cheap to clone.
#[derive(Clone)]
pub struct StateFolder(Arc<Inner>);

struct Inner {
    path: PathBuf,
    outside: Outside,
    given: Option<String>,
    key: Mutex<Option<Arc<SealingKey>>>,
    reading: Mutex<Connection>,
}

impl fmt::Debug for StateFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateFolder").field(&self.0.path).finish_non_exhaustive()
    }
}

impl StateFolder {
    /// Opens the folder, and makes it first if there is none. `key` is the text of `BOWLINE_KEY`; without it the key is the file `key` in the folder.
    ///
    /// # Errors
    /// When the folder or its database cannot be made or read, or others could write into it.
    pub fn open(path: &Path, outside: Outside, key: Option<String>) -> Result<Self, JournalError> {
        make_folder(path).map_err(|e| unusable(path, e))?;
        Self::prepared(path, outside, key)
    }

    /// Opens the folder if runs were ever kept in it. A look must leave nothing where nothing was.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_existing(path: &Path, outside: Outside, key: Option<String>) -> Result<Option<Self>, JournalError> {
        match path.join("journal.db").try_exists().map_err(|e| unusable(path, e))? {
            true => Self::prepared(path, outside, key).map(Some),
            false => Ok(None),
        }
    }

    fn prepared(path: &Path, outside: Outside, key: Option<String>) -> Result<Self, JournalError> {
        let failed = |e: io::Error| unusable(path, e);
        if fs::metadata(path).map_err(failed)?.mode() & 0o002 != 0 {
            let shown = path.display();
            return Err(JournalError::Folder(format!("everybody may write into `{shown}`: `chmod 700 {shown}`")));
        }
        make_folder(&path.join("locks")).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let database = path.join("journal.db");
        let setting_up = lock_file(&path.join("locks"), ".setup").map_err(failed)?;
        setting_up.lock().map_err(failed)?;
        let named = |error| in_file(&database, error);
        prepare(&database).map_err(named)?;
        drop(setting_up);
        let reading = Mutex::new(connect_to_read(&database).map_err(named)?);
        Ok(Self(Arc::new(Inner { path, outside, given: key, key: Mutex::default(), reading })))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The folder as the file system tells it apart from every other one of this boot, whatever path leads to it.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn mark(&self) -> Result<String, JournalError> {
        let found = fs::metadata(&self.0.path).map_err(|e| unusable(&self.0.path, e))?;
        // A folder that was deleted leaves its number to the next one; the time at which it was made tells them apart.
        let made = found.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(format!("{}:{}:{}", found.dev(), found.ino(), made.as_nanos()))
    }

    pub(super) fn outside(&self) -> &Outside {
        &self.0.outside
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.0.path.join("locks")
    }

    pub(super) fn reading(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves the connection as it was.
        self.0.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of its own, for a look that lasts.
    pub(super) fn looking(&self) -> Result<Connection, JournalError> {
        connect_to_read(&self.0.path.join("journal.db"))
    }

    pub(super) fn writing(&self) -> Result<Connection, JournalError> {
        connect(&self.database())
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.path.join("journal.db")
    }

    /// The key for a new run, made when there is none.
    pub(super) fn key(&self) -> Result<Arc<SealingKey>, JournalError> {
        self.known_key(|path| SealingKey::load_or_create(path, &*self.0.outside.random))
    }

    /// The key that opens what is there. One that is lost is never replaced: a new one opens nothing.
    pub(super) fn key_to_open(&self) -> Result<Arc<SealingKey>, JournalError> {
        let lost = |path: &Path| JournalError::Key(format!("`{}` is gone: put it back, or give the key as BOWLINE_KEY", path.display()));
        self.known_key(|path| SealingKey::load(path)?.ok_or_else(|| lost(path)))
    }

    fn known_key(&self, find: impl FnOnce(&Path) -> Result<SealingKey, JournalError>) -> Result<Arc<SealingKey>, JournalError> {
        let mut known = self.0.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*known {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(match &self.0.given {
            Some(text) => SealingKey::from_text(text)?,
            None => find(&self.0.path.join("key"))?,
        });
        *known = Some(Arc::clone(&key));
        Ok(key)
    }
}

fn unusable(path: &Path, error: io::Error) -> JournalError {
    JournalError::Folder(format!("`{}`: {error}", path.display()))
}

/// Names the file in an error of the database, which knows no path.
fn in_file(file: &Path, error: JournalError) -> JournalError {
    let shown = file.display().to_string();
    let named = |text: String| if text.contains(&shown) { text } else { format!("`{shown}`: {text}") };
    match error {
        JournalError::Read(text) => JournalError::Read(named(text)),
        JournalError::Write(text) => JournalError::Write(named(text)),
        other => other,
    }
}

/// Makes a folder for its owner alone, durably; one that is there stays as it is.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if path.exists() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// Opens a file that is only ever locked.
pub(super) fn lock_file(folder: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::StateFolder;
    use crate::journal::fixture::outside;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_state_folder_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        StateFolder::open(&path, outside(), None).unwrap().key().unwrap();
        for place in ["", "key", "journal.db", "locks"] {
            let mode = fs::metadata(path.join(place)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{place} has mode {mode:o}");
        }
    }

    #[test]
    fn a_folder_is_not_taken_for_one_that_was_there_before() {
        let parent = tempfile::tempdir().unwrap();
        let mark = |name: &str| StateFolder::open(&parent.path().join(name), outside(), None).unwrap().mark().unwrap();
        let first = mark("one");
        assert_eq!(mark("one"), first);
        fs::rename(parent.path().join("one"), parent.path().join("moved")).unwrap();
        assert_eq!(mark("moved"), first, "whatever its path");
        fs::remove_dir_all(parent.path().join("moved")).unwrap();
        assert_ne!(mark("two"), first, "its number may be used again");
    }

    #[test]
    fn a_look_leaves_nothing_where_nothing_was() {
        let parent = tempfile::tempdir().unwrap();
        for path in [parent.path().join("absent"), parent.path().to_owned()] {
            assert!(StateFolder::open_existing(&path, outside(), None).unwrap().is_none());
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        StateFolder::open(parent.path(), outside(), None).unwrap();
        assert!(StateFolder::open_existing(parent.path(), outside(), None).unwrap().is_some());
    }

    #[test]
    fn what_is_no_database_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("journal.db"), "junk ".repeat(1000)).unwrap();
        let error = StateFolder::open(folder.path(), outside(), None).unwrap_err().to_string();
        let error = error.replace(folder.path().to_str().unwrap(), "STATE");
        insta::assert_snapshot!(error, @"the journal cannot be read: `STATE/journal.db`: file is not a database");
    }

    #[test]
    fn a_folder_into_which_everybody_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(StateFolder::open(folder.path(), outside(), None).unwrap_err().to_string().contains("chmod 700"));
    }
}
