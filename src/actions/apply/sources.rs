//! Which of the frozen files a source means: a file, a folder or a glob. It reads none.

use crate::action::{Frozen, Source};

/// The paths of the files that `source` means, sorted; empty when it means none.
pub(in crate::actions) fn files<'a>(frozen: &'a Frozen, source: &str) -> Vec<&'a str> {
    let Ok(source) = Source::new(source) else { return Vec::new() };
    frozen.0.keys().map(String::as_str).filter(|path| source.means(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::files;
    use crate::action::Frozen;
    use std::sync::Arc;

    #[test]
    fn a_source_is_a_file_a_folder_or_a_glob() {
        let names = ["a.yaml", "m/one.yaml", "m/two.yml", "m/deep/three.json", "m/notes.txt", "mm/x.yaml"];
        let frozen = Frozen(Arc::new(names.iter().map(|name| ((*name).to_owned(), Arc::from(&b""[..]))).collect()));
        let of = |source: &str| files(&frozen, source).join(" ");
        assert_eq!(of("a.yaml"), "a.yaml");
        assert_eq!(of("./a.yaml"), "a.yaml");
        assert_eq!(of("m/"), "m/deep/three.json m/one.yaml m/two.yml");
        assert_eq!(of("m/*.y*ml"), "m/one.yaml m/two.yml");
        assert_eq!(of("m/**/*.json"), "m/deep/three.json");
        assert_eq!(of("**/*.yaml"), "a.yaml m/one.yaml mm/x.yaml");
        assert_eq!(of("m/[ot]*"), "m/one.yaml m/two.yml");
        assert_eq!(of("none"), "");
        assert_eq!(of("m/notes.txt"), "m/notes.txt");
    }
}
