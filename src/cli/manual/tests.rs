//! The manual that is published is the one that the types make, and its examples work.

use super::pages;
use crate::action::Registry;
use crate::actions::{Places, registry};
use crate::cli::testing::ports;
use std::path::PathBuf;

fn actions() -> Registry {
    registry(&ports(), &Places { backups: PathBuf::from("backups") })
}

#[test]
fn every_kind_says_what_it_does_and_what_takes_it_back() {
    for page in pages(&actions()) {
        for text in [&page.about, &page.undone] {
            assert!(text.ends_with('.'), "`{}` needs a sentence: {text:?}", page.kind);
        }
        assert!(page.to_markdown().contains("## Parameters"), "`{}` has no parameters", page.kind);
    }
}

#[test]
fn a_page_is_made_from_the_types() {
    let page = pages(&actions()).into_iter().find(|page| page.kind == "shell").unwrap();
    let text = page.to_markdown();
    assert!(text.contains("- `run` (text or list, each text, required): What to run"), "{text}");
    assert!(text.contains("  - `lines`: As lines"), "{text}");
    assert!(page.to_json()["params"]["properties"]["output"].to_string().contains("As lines"));
}

/// What is published tells of every kind, those that need a cluster too.
#[cfg(feature = "kubernetes")]
mod published {
    use super::super::{index, pages};
    use super::actions;
    use crate::plan::{Source, check};
    use std::fs;
    use std::path::Path;

    fn is_fresh(path: &str, made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/actions").join(path);
        if std::env::var_os("BOWLINE_WRITE_SCHEMAS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, made).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == made, "{} is stale: run this test with BOWLINE_WRITE_SCHEMAS=1 and commit what it writes", path.display());
    }

    #[test]
    fn the_pages_are_fresh_and_no_other_page_is_there() {
        let pages = pages(&actions());
        is_fresh("README.md", &index(&actions(), &pages));
        pages.iter().for_each(|page| is_fresh(&format!("{}.md", page.kind), &page.to_markdown()));
        let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/actions")).unwrap();
        assert_eq!(folder.count(), pages.len() + 1, "a page of a kind that is gone");
    }

    #[test]
    fn every_example_is_a_plan_that_uses_its_kind_and_warns_of_nothing() {
        for page in pages(&actions()) {
            let plan = check(&Source::new(&page.kind, &page.example), &actions());
            let plan = plan.unwrap_or_else(|problems| panic!("the example of `{}`: {problems:?}", page.kind));
            assert!(plan.warnings.is_empty(), "the example of `{}`: {:?}", page.kind, plan.warnings);
            assert!(plan.steps.iter().any(|step| step.kind.as_str() == page.kind), "the example of `{}` does not use it", page.kind);
        }
    }
}
