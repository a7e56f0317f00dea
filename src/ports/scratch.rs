//! A folder for the time of a run, and what is in it goes with it.

use std::io;
use std::path::{Path, PathBuf};

/// A new folder among this machine's temporary ones. Dropped, it is taken away with all that is in it.
#[derive(Debug)]
pub struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Makes one whose name begins with `name` and that is nobody else's.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let mut failed = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 0..1000 {
            let path = std::env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // Nobody would be helped by an error about a folder in which nothing is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::ScratchFolder;

    #[test]
    fn it_goes_with_what_is_in_it() {
        let folder = ScratchFolder::new("bowline-test-scratch").unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
