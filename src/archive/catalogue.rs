//! What an archive holds, and what it may let go.

use super::read::gone;
use super::{Archive, ArchiveError, Manifest, data_name, manifest_name};
use crate::ports::is_partial_of;

/// The backups of an archive.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// Those that are whole, the newest first.
    pub backups: Vec<Manifest>,
    /// Those whose manifest cannot be read or whose content is gone, and why.
    pub damaged: Vec<(String, String)>,
}

impl Catalogue {
    /// One of the same series that says to be newer than this one, which was made last: a clock was set back in between.
    pub fn later_than(&self, made: &Manifest) -> Option<&Manifest> {
        self.backups.iter().find(|other| other.is_like(made) && other.created > made.created)
    }
}

impl Archive {
    /// Lists the backups. That their content is there is all that is looked at; see [`Archive::verify`].
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn list(&self) -> Result<Catalogue, ArchiveError> {
        let mut catalogue = Catalogue::default();
        let files = self.files.list(&self.folder).await?;
        for file in &files {
            let Some(name) = file.strip_suffix(".json").filter(|name| !name.starts_with('.')) else { continue };
            match self.show(name).await {
                // It would be counted among those that are kept, and chosen as the latest.
                Ok(_) if !files.contains(&data_name(name)) => catalogue.damaged.push((name.to_owned(), gone(name).to_string())),
                Ok(manifest) => catalogue.backups.push(manifest),
                Err(error) => catalogue.damaged.push((name.to_owned(), error.to_string())),
            }
        }
        catalogue.backups.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.name.cmp(&a.name)));
        Ok(catalogue)
    }

    /// Removes all but the newest `keep` backups that are like `made`, which is one of those that stay whatever its clock said. Gives the
    /// names of those that are gone.
    ///
    /// # Errors
    /// When the folder cannot be read or a file cannot be removed.
    pub async fn prune(&self, made: &Manifest, keep: u32) -> Result<Vec<String>, ArchiveError> {
        let others = usize::try_from(keep.saturating_sub(1)).unwrap_or(usize::MAX);
        let is_meant = |manifest: &Manifest| manifest.is_like(made) && manifest.name != made.name;
        let mut gone = Vec::new();
        for manifest in self.list().await?.backups.into_iter().filter(is_meant).skip(others) {
            self.remove(&manifest.name).await?;
            gone.push(manifest.name);
        }
        Ok(gone)
    }

    /// Removes a backup, or what there is of it.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub async fn remove(&self, name: &str) -> Result<(), ArchiveError> {
        // The manifest first: without it, what is left looks like nothing.
        self.files.remove(&self.manifest_path(name)).await?;
        self.clear(name).await
    }

    /// Removes what there is of a backup that has no manifest: content, and what never got its name. One that has a manifest stays.
    /// Says whether there was anything.
    ///
    /// # Errors
    /// When the folder cannot be read or a file cannot be removed.
    pub async fn clear_unfinished(&self, name: &str) -> Result<bool, ArchiveError> {
        match self.show(name).await {
            Err(ArchiveError::Absent { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(false),
        }
        let was_there = self.has_unfinished(name).await?;
        self.clear(name).await?;
        Ok(was_there)
    }

    /// True when there is content or a partial file of this name, with or without a manifest.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn has_unfinished(&self, name: &str) -> Result<bool, ArchiveError> {
        Ok(!self.pieces(name).await?.is_empty())
    }

    /// Removes content and partial files, and leaves the manifest alone.
    pub(super) async fn clear(&self, name: &str) -> Result<(), ArchiveError> {
        for file in self.pieces(name).await? {
            self.files.remove(&self.folder.join(file)).await?;
        }
        Ok(())
    }

    /// The files of a backup but its manifest.
    async fn pieces(&self, name: &str) -> Result<Vec<String>, ArchiveError> {
        let (data, manifest) = (data_name(name), manifest_name(name));
        let mut files = self.files.list(&self.folder).await?;
        files.retain(|file| *file == data || is_partial_of(file, &data) || is_partial_of(file, &manifest));
        Ok(files)
    }
}
