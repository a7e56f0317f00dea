//! Reads every file that a plan names, so that the run never reads another. It knows no journal.

use super::failure::CommandFailure;
use crate::action::{Frozen, Source};
use crate::expr::manifest_faults;
use crate::ids::StepId;
use crate::plan::NamedFile;
use crate::ports::{FileError, Files};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// Most bytes that are frozen with a run: more than that is a folder named by mistake.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Most files.
const MOST_FILES: usize = 5_000;
/// Folders within folders: a link to a folder above would go on for ever.
const DEEPEST: usize = 32;

/// The files' contents, by their path from the plan's folder.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// Reads the files. All that is missing is told at once.
///
/// # Errors
/// When a source means no file, or one cannot be read.
pub async fn freeze(files: &dyn Files, folder: &Path, sources: &[(StepId, String)]) -> Result<Contents, CommandFailure> {
    let mut freezer = Freezer { files, folder, contents: Contents::new(), bytes: 0 };
    let mut problems = Vec::new();
    for (step, text) in sources {
        if let Err(problem) = freezer.take(text).await {
            problems.push(format!("{step}: {problem}"));
        }
    }
    problems.dedup();
    match problems.is_empty() {
        true => Ok(freezer.contents),
        false => {
            let mut failure = CommandFailure::usage("files that the plan names cannot be read");
            failure.causes = problems;
            Err(failure.hint(format!("paths are taken from the plan's folder, {}", folder.display())))
        }
    }
}

/// Looks at files that a plan names without a template: gives those that are there, and tells those that are missing and manifests that
/// cannot be read.
pub async fn look_at(files: &dyn Files, folder: &Path, named: &[NamedFile]) -> (Contents, Vec<(NamedFile, String)>) {
    let (mut contents, mut faults) = (Contents::new(), Vec::new());
    for file in named {
        let mut freezer = Freezer { files, folder, contents: Contents::new(), bytes: 0 };
        match freezer.take(&file.path).await {
            Ok(()) => {
                faults.extend(unreadable(&freezer.contents).into_iter().map(|fault| (file.clone(), fault)));
                contents.extend(freezer.contents);
            }
            Err(fault) => faults.push((file.clone(), fault)),
        }
    }
    (contents, faults)
}

/// The contents as actions see them.
pub fn frozen(contents: &Contents) -> Frozen {
    Frozen(Arc::new(contents.iter().map(|(path, content)| (path.clone(), Arc::from(content.as_slice()))).collect()))
}

/// What is wrong with the manifests among these files.
pub fn unreadable(contents: &Contents) -> Vec<String> {
    let is_manifest =
        |path: &str| Path::new(path).extension().is_some_and(|kind| ["yaml", "yml", "json"].iter().any(|known| kind == *known));
    let faults = |(path, content): (&String, &Vec<u8>)| match std::str::from_utf8(content) {
        Ok(text) => manifest_faults(text, path).iter().map(ToString::to_string).collect(),
        Err(_) => vec![format!("{path} is no UTF-8 text")],
    };
    contents.iter().filter(|(path, _)| is_manifest(path)).flat_map(faults).collect()
}

struct Freezer<'a> {
    files: &'a dyn Files,
    folder: &'a Path,
    contents: Contents,
    bytes: usize,
}

impl Freezer<'_> {
    async fn take(&mut self, text: &str) -> Result<(), String> {
        let source = Source::new(text).map_err(|error| error.to_string())?;
        if source.is_glob() {
            return self.walk(&source).await;
        }
        match self.files.read(&self.folder.join(source.path())).await {
            Ok(content) => self.keep(source.path().to_owned(), content),
            Err(error) if error.source.kind() == ErrorKind::IsADirectory => self.walk(&source).await,
            Err(error) if error.source.kind() == ErrorKind::NotFound => Err(format!("there is no `{text}`")),
            Err(error) => Err(told(&error)),
        }
    }

    /// Goes through the folders beneath the source's root. What begins with a dot is nobody's manifest.
    async fn walk(&mut self, source: &Source) -> Result<(), String> {
        let before = self.contents.len();
        let root = if source.root() == "." { "" } else { source.root() };
        let mut folders = vec![(root.to_owned(), 0)];
        let mut found = false;
        while let Some((folder, depth)) = folders.pop() {
            let names = self.files.list(&self.folder.join(&folder)).await.map_err(|error| told(&error))?;
            for name in names.into_iter().filter(|name| !name.starts_with('.')) {
                let path = if folder.is_empty() { name } else { format!("{}/{name}", folder.trim_end_matches('/')) };
                match self.files.list(&self.folder.join(&path)).await {
                    Ok(_) if depth < DEEPEST => folders.push((path, depth + 1)),
                    Ok(_) => return Err(format!("`{path}` lies too deep: is it a link to a folder above?")),
                    Err(_) if source.means(&path) => {
                        let content = self.files.read(&self.folder.join(&path)).await.map_err(|error| told(&error))?;
                        self.keep(path, content)?;
                        found = true;
                    }
                    Err(_) => {}
                }
            }
        }
        match found || self.contents.len() > before {
            true => Ok(()),
            false => Err(format!("`{}` means no file", source.path())),
        }
    }

    fn keep(&mut self, path: String, content: Vec<u8>) -> Result<(), String> {
        self.bytes += content.len();
        self.contents.insert(path, content);
        if self.bytes > MOST_BYTES || self.contents.len() > MOST_FILES {
            return Err(format!("more than {MOST_FILES} files or {} MiB would be kept with the run", MOST_BYTES / 1024 / 1024));
        }
        Ok(())
    }
}

fn told(error: &FileError) -> String {
    format!("{error}: {}", error.source)
}

#[cfg(test)]
mod tests {
    use super::freeze;
    use crate::ports::SystemFiles;
    use crate::report::words;
    use std::fs;
    use std::path::Path;

    fn write(folder: &Path, name: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    async fn frozen(folder: &Path, sources: &[&str]) -> Result<String, String> {
        let step = crate::ids::StepId::new("deploy").unwrap();
        let sources: Vec<_> = sources.iter().map(|source| (step.clone(), (*source).to_owned())).collect();
        match freeze(&SystemFiles, folder, &sources).await {
            Ok(contents) => Ok(contents.into_keys().collect::<Vec<_>>().join(" ")),
            Err(failure) => Err(words::plain(&failure.lines().join("\n")).replace(folder.to_str().unwrap(), "FOLDER")),
        }
    }

    #[tokio::test]
    async fn files_folders_and_globs_are_kept_under_the_paths_that_the_plan_uses() {
        let place = tempfile::tempdir().unwrap();
        for name in ["plans/a.yaml", "plans/m/one.yaml", "plans/m/deep/two.yml", "plans/m/notes.txt", "plans/.git/x.yaml", "common/s.yaml"]
        {
            write(place.path(), name);
        }
        let plans = place.path().join("plans");
        assert_eq!(frozen(&plans, &["./a.yaml", "m"]).await.unwrap(), "a.yaml m/deep/two.yml m/one.yaml");
        assert_eq!(frozen(&plans, &["m/*.txt"]).await.unwrap(), "m/notes.txt");
        assert_eq!(frozen(&plans, &["**/*.yaml"]).await.unwrap(), "a.yaml m/one.yaml");
        assert_eq!(frozen(&plans, &["."]).await.unwrap(), "a.yaml m/deep/two.yml m/one.yaml");
        assert_eq!(frozen(&plans, &["../common/*.yaml"]).await.unwrap(), "../common/s.yaml");
        let absolute = place.path().join("common/s.yaml");
        assert_eq!(frozen(&plans, &[absolute.to_str().unwrap()]).await.unwrap(), absolute.to_str().unwrap());
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_told_at_once() {
        let place = tempfile::tempdir().unwrap();
        insta::assert_snapshot!(frozen(place.path(), &["a.yaml", "m/*.yaml", "b[.yaml"]).await.unwrap_err(), @"error: files that the plan names cannot be read   because deploy: there is no `a.yaml`   because deploy: `m/*.yaml` means no file   because deploy: `b[.yaml` is no pattern: a `[` has no end   next: paths are taken from the plan's folder, FOLDER");
    }
}
