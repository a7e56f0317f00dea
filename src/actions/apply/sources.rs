//! Which of the frozen files a source means: a file, a folder or a glob. It reads none.

use crate::action::Frozen;
use regex::Regex;

/// The paths of the files that `source` means, sorted; empty when it means none.
pub(super) fn files<'a>(frozen: &'a Frozen, source: &str) -> Vec<&'a str> {
    let source = source.trim_start_matches("./").trim_end_matches('/');
    let paths = || frozen.0.keys().map(String::as_str);
    let plain = |path: &&str| path.trim_start_matches("./") == source;
    if let Some(file) = paths().find(plain) {
        return vec![file];
    }
    let matches: Box<dyn Fn(&str) -> bool> = match source.contains(['*', '?', '[']) {
        true => match glob(source) {
            Some(pattern) => Box::new(move |path| pattern.is_match(path)),
            None => return Vec::new(),
        },
        false => Box::new(|path| {
            let inside = path.strip_prefix(source).is_some_and(|rest| rest.starts_with('/')) || source == ".";
            inside && [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end))
        }),
    };
    paths().filter(|path| matches(path.trim_start_matches("./"))).collect()
}

/// `*` and `?` stay within a folder, `**` goes through folders.
fn glob(source: &str) -> Option<Regex> {
    let mut pattern = String::from("^");
    let mut rest = source.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '*' if rest.peek() == Some(&'*') => {
                rest.next();
                // `a/**/b` means `a/b`, too.
                let slash = rest.next_if_eq(&'/').is_some();
                pattern.push_str(if slash { "(?:.*/)?" } else { ".*" });
            }
            '*' => pattern.push_str("[^/]*"),
            '?' => pattern.push_str("[^/]"),
            '[' | ']' => pattern.push(next),
            other => pattern.push_str(&regex::escape(&other.to_string())),
        }
    }
    pattern.push('$');
    Regex::new(&pattern).ok()
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
