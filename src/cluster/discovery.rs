//! Which groups and versions a cluster serves. It reads no object.

use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::group_of;

impl Cluster {
    /// Every group and version that is served, such as `apps/v1`, but the core one. Those of a group stand together, newest first.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub(super) async fn versions(&self) -> Result<Vec<String>, ApiError> {
        let told = self.read("/apis".to_owned()).await?;
        let groups = told["groups"].as_array().map_or(&[][..], Vec::as_slice);
        let versions = groups.iter().filter_map(|group| group["versions"].as_array()).flatten();
        Ok(versions.filter_map(|version| version["groupVersion"].as_str().map(str::to_owned)).collect())
    }

    /// Another version in which a kind is served: then its objects are there, though they cannot be reached by this one.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub(super) async fn served_as(&self, kind: &Kind) -> Result<Option<String>, ApiError> {
        let versions = self.versions().await?;
        for version in versions.into_iter().filter(|version| group_of(version) == kind.group() && *version != kind.api_version) {
            match self.served(&version).await {
                Ok(kinds) if kinds.iter().any(|known| known.kind == kind.kind) => return Ok(Some(version)),
                Ok(_) => {}
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
