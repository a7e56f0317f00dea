//! What the pods of a Job printed, as it was heard while they did. It asks nobody, and a pod that is gone is still known here.

use super::run::OUTPUT_LIMIT;
use crate::cluster::Object;
use crate::cluster::logs::Heard;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What was heard so far. Clones of the handle hear the same.
#[derive(Default)]
pub(super) struct Printed(Mutex<BTreeMap<String, Pod>>);

#[derive(Default)]
struct Pod {
    began: String,
    /// The end of it.
    text: String,
    /// Nothing of it was missed.
    is_whole: bool,
}

impl Printed {
    pub(super) fn hear(&self, pod: &Object, heard: &Heard) {
        let mut pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pods.entry(pod.uid().to_owned()).or_default();
        pod.text("/metadata/creationTimestamp").clone_into(&mut known.began);
        match heard {
            Heard::Line(line, goes_on) => {
                known.text.push_str(line);
                known.text.push_str(if *goes_on { "" } else { "\n" });
                if known.text.len() > 2 * OUTPUT_LIMIT {
                    known.text = last_bytes(&known.text, OUTPUT_LIMIT).to_owned();
                }
            }
            Heard::Whole => known.is_whole = true,
        }
    }

    /// True when any pod has printed more than blanks.
    pub(super) fn is_any(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().any(|pod| !pod.text.trim().is_empty())
    }

    /// What a pod printed, or the pod that began last; none when that was not heard from its beginning to its end.
    pub(super) fn whole(&self, uid: Option<&str>) -> Option<String> {
        let pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pod = match uid {
            Some(uid) => pods.get(uid),
            None => pods.values().max_by_key(|pod| &pod.began),
        };
        pod.filter(|pod| pod.is_whole).map(|pod| pod.text.clone())
    }
}

/// The end of a text, in whole characters.
pub(super) fn last_bytes(text: &str, limit: usize) -> &str {
    let mut from = text.len().saturating_sub(limit);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::{OUTPUT_LIMIT, Printed, last_bytes};
    use crate::cluster::Object;
    use crate::cluster::logs::Heard;
    use serde_json::json;

    #[test]
    fn only_what_was_heard_to_its_end_counts_and_of_several_the_last() {
        let printed = Printed::default();
        let pod = |uid: &str, began: &str| Object(json!({ "metadata": { "uid": uid, "creationTimestamp": began } }));
        let (first, second) = (pod("b", "2026-01-01T00:00:00Z"), pod("a", "2026-01-01T00:00:01Z"));
        printed.hear(&first, &Heard::Line("one".to_owned(), false));
        printed.hear(&first, &Heard::Whole);
        assert_eq!(printed.whole(None).as_deref(), Some("one\n"));
        printed.hear(&second, &Heard::Line("t".to_owned(), true));
        printed.hear(&second, &Heard::Line("wo".to_owned(), false));
        assert_eq!((printed.whole(None), printed.whole(Some("b")).as_deref()), (None, Some("one\n")));
        printed.hear(&second, &Heard::Whole);
        assert_eq!((printed.whole(None).as_deref(), printed.whole(Some("c"))), (Some("two\n"), None));
    }

    #[test]
    fn of_much_the_end_is_kept() {
        let printed = Printed::default();
        let pod = Object(json!({ "metadata": { "uid": "a" } }));
        for number in 0..40_000 {
            printed.hear(&pod, &Heard::Line(format!("line {number}"), false));
        }
        printed.hear(&pod, &Heard::Whole);
        let text = printed.whole(None).unwrap();
        assert!(text.ends_with("line 39999\n") && (OUTPUT_LIMIT..3 * OUTPUT_LIMIT).contains(&text.len()), "{}", text.len());
        assert_eq!(last_bytes("aä", 2), "ä");
        assert_eq!(last_bytes("aä", 1), "");
    }
}
