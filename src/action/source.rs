//! A source as a plan names it: a file, a folder or a glob, from the plan's folder. It reads no files.

use regex::Regex;

/// What stands in a folder of manifests and is one.
const ENDS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Says which files a source means. Whoever freezes files and whoever reads them must agree, so both ask here.
#[derive(Debug, Clone)]
pub struct Source {
    text: String,
    glob: Option<Regex>,
}

/// A glob that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern: a `[` has no end")]
pub struct SourceError(String);

impl Source {
    /// Reads a source: `*` and `?` stay within a folder, `**` goes through folders, `[ab]` and `[!ab]` mean one character.
    ///
    /// # Errors
    /// When a `[` has no end.
    pub fn new(text: &str) -> Result<Self, SourceError> {
        let text = plain(text).trim_end_matches('/').to_owned();
        let glob = match text.contains(['*', '?', '[']) {
            true => Some(glob(&text).ok_or_else(|| SourceError(text.clone()))?),
            false => None,
        };
        Ok(Self { text, glob })
    }

    /// The path, or the pattern, without `./` before it and `/` behind it.
    pub fn path(&self) -> &str {
        &self.text
    }

    /// True when it is a pattern.
    pub fn is_glob(&self) -> bool {
        self.glob.is_some()
    }

    /// The folder beneath which everything lies that it may mean; empty for the plan's own.
    pub fn root(&self) -> &str {
        match self.text.find(['*', '?', '[']) {
            None => &self.text,
            Some(first) => self.text[..first].rsplit_once('/').map_or("", |(root, _)| if root.is_empty() { "/" } else { root }),
        }
    }

    /// True when it means the file at `path`: it is the file, or a folder that holds it, or a pattern that fits.
    pub fn means(&self, path: &str) -> bool {
        let path = plain(path);
        match &self.glob {
            Some(pattern) => pattern.is_match(path),
            None if path == self.text => true,
            None => {
                let inside = self.text == "." || path.strip_prefix(&self.text).is_some_and(|rest| rest.starts_with('/'));
                inside && ENDS.iter().any(|end| path.ends_with(end))
            }
        }
    }
}

fn plain(path: &str) -> &str {
    path.trim_start_matches("./")
}

fn glob(source: &str) -> Option<Regex> {
    let mut pattern = String::from("^");
    let mut rest = source.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '*' if rest.next_if_eq(&'*').is_some() => {
                // `a/**/b` means `a/b`, too.
                let slash = rest.next_if_eq(&'/').is_some();
                pattern.push_str(if slash { "(?:.*/)?" } else { ".*" });
            }
            '*' => pattern.push_str("[^/]*"),
            '?' => pattern.push_str("[^/]"),
            '[' => {
                pattern.push_str(if rest.next_if_eq(&'!').is_some() { "[^/" } else { "[" });
                class(&mut rest, &mut pattern)?;
            }
            other => pattern.push_str(&regex::escape(&other.to_string())),
        }
    }
    pattern.push('$');
    Regex::new(&pattern).ok()
}

/// What stands between brackets: characters and ranges of them, nothing else that a regular expression knows.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, pattern: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            ']' => {
                pattern.push(']');
                return Some(());
            }
            '-' => pattern.push('-'),
            other => pattern.push_str(&regex::escape(&other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_source_is_a_file_a_folder_or_a_glob() {
        let names = ["a.yaml", "m/one.yaml", "m/two.yml", "m/deep/three.json", "m/notes.txt", "mm/x.yaml"];
        let of = |source: &str| {
            let source = Source::new(source).unwrap();
            names.into_iter().filter(|name| source.means(name)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("a.yaml"), "a.yaml");
        assert_eq!(of("./a.yaml"), "a.yaml");
        assert_eq!(of("m/"), "m/one.yaml m/two.yml m/deep/three.json");
        assert_eq!(of("m/*.y*ml"), "m/one.yaml m/two.yml");
        assert_eq!(of("m/**/*.json"), "m/deep/three.json");
        assert_eq!(of("**/*.yaml"), "a.yaml m/one.yaml mm/x.yaml");
        assert_eq!(of("m/[ot]*"), "m/one.yaml m/two.yml");
        assert_eq!(of("m/[!o-q]*.y*ml"), "m/two.yml");
        assert_eq!(of("."), "a.yaml m/one.yaml m/two.yml m/deep/three.json mm/x.yaml");
        assert_eq!(of("none"), "");
        assert_eq!(of("m/notes.txt"), "m/notes.txt");
    }

    #[test]
    fn everything_lies_beneath_the_root() {
        let root = |source: &str| Source::new(source).unwrap().root().to_owned();
        assert_eq!(root("m/deep/*.yaml"), "m/deep");
        assert_eq!(root("*.yaml"), "");
        assert_eq!(root("/etc/*.yaml"), "/etc");
        assert_eq!(root("/*.yaml"), "/");
        assert_eq!(root("m/x[ab]/y"), "m");
        assert_eq!(root("m/x"), "m/x");
    }

    #[test]
    fn a_bracket_without_end_is_told() {
        assert_eq!(Source::new("m/[ab").unwrap_err().to_string(), "`m/[ab` is no pattern: a `[` has no end");
    }
}
