//! Three-way merge of objects, field by field: what was written is put back, what somebody else changed since is kept. Pure.

use crate::cluster::object::Object;
use crate::cluster::undo::keys::{besides_key, element_key, is_atomic, is_open_map};
use serde_json::{Map, Value};

/// What an object should be again.
#[derive(Debug, Clone, PartialEq)]
pub struct Restoration {
    /// The live object with our changes taken back.
    pub object: Object,
    /// True when it differs from the live one.
    pub changed: bool,
    /// Fields that we changed and somebody else changed after us: they stay as they are.
    pub kept: Vec<Path>,
}

/// A field's place in an object, such as `spec.template.spec.containers[web].image`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Into a field.
    Field(String),
    /// Into the element of a list that has this natural key.
    Element(String),
}

impl Path {
    fn field(&self, name: &str) -> Self {
        self.with(Step::Field(name.to_owned()))
    }

    fn element(&self, key: &str) -> Self {
        self.with(Step::Element(key.to_owned()))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The names of the fields on the way, elements left out.
    pub fn fields(&self) -> Vec<&str> {
        let fields = self.0.iter().filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Element(_) => None,
        });
        fields.collect()
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if index == 0 => f.write_str(name)?,
                Step::Field(name) if name.contains(['.', '/']) => write!(f, "[{name}]")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}

/// The parts of `metadata` that a person writes; all else there is the server's.
const METADATA: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];

/// Puts back, into `live`, what differs between `before` and `after`, wherever `live` still is as in `after`.
pub fn merge(before: &Object, after: &Object, live: &Object) -> Restoration {
    let mut merge = Merge { kept: Vec::new() };
    let mut object = live.clone();
    let root = Path::default();
    for name in top_fields([before, after, live]) {
        let [b, a, l] = [before, after, live].map(|object| object.0.get(&name));
        let merged = merge.value(&root.field(&name), b, a, l);
        put(&mut object.0, &name, merged);
    }
    let metadata = root.field("metadata");
    for name in METADATA {
        let [b, a, l] = [before, after, live].map(|object| object.0["metadata"].get(name));
        let merged = merge.value(&metadata.field(name), b, a, l);
        if let Some(live) = object.0.get_mut("metadata") {
            put(live, name, merged);
        }
    }
    Restoration { changed: object != *live, object, kept: merge.kept }
}

fn top_fields(objects: [&Object; 3]) -> Vec<String> {
    let mut names = Vec::new();
    for name in objects.iter().filter_map(|object| object.0.as_object()).flat_map(Map::keys) {
        let servers = matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status");
        if !servers && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn put(into: &mut Value, name: &str, value: Option<Value>) {
    let Some(fields) = into.as_object_mut() else { return };
    match value {
        Some(value) => {
            fields.insert(name.to_owned(), value);
        }
        None => {
            fields.shift_remove(name);
        }
    }
}

struct Merge {
    kept: Vec<Path>,
}

impl Merge {
    fn value(&mut self, path: &Path, b: Option<&Value>, a: Option<&Value>, l: Option<&Value>) -> Option<Value> {
        // What we did not change, and what is back already, stays as it is now.
        if b == a || l == b {
            return l.cloned();
        }
        if l == a {
            return b.cloned();
        }
        if path.fields() == ["spec", "template"] {
            return self.whole(path, b, a, l);
        }
        self.parts(path, b, a, l)
    }

    /// Half of an old pod template is no template that anybody has tried: with one foreign change all of it is kept.
    fn whole(&mut self, path: &Path, b: Option<&Value>, a: Option<&Value>, l: Option<&Value>) -> Option<Value> {
        let mut inner = Merge { kept: Vec::new() };
        let merged = inner.parts(path, b, a, l);
        if inner.kept.is_empty() {
            return merged;
        }
        self.kept.append(&mut inner.kept);
        l.cloned()
    }

    fn parts(&mut self, path: &Path, b: Option<&Value>, a: Option<&Value>, l: Option<&Value>) -> Option<Value> {
        let empty_map = Value::Object(Map::new());
        // A map of independent entries may be missing on one side; any other structure has to be compared whole then.
        let [b_side, a_side, l_side] = [b, a, l].map(|side| if is_open_map(path) { side.or(Some(&empty_map)) } else { side });
        match (b_side, a_side, l_side) {
            (Some(Value::Object(before)), Some(Value::Object(after)), Some(Value::Object(live))) if !is_atomic(path) => {
                let merged = self.map(path, before, after, live);
                let vanishes = merged.is_empty() && b.is_none();
                (!vanishes).then_some(Value::Object(merged))
            }
            (Some(Value::Array(before)), Some(Value::Array(after)), Some(Value::Array(live))) if !is_atomic(path) => {
                match (keyed(path, before), keyed(path, after), keyed(path, live)) {
                    (Some(before), Some(after), Some(live)) => {
                        let live = live.with_earlier_keys(path, &before, &after);
                        Some(Value::Array(self.list(path, &before, &after, &live)))
                    }
                    _ => self.keep(path, l),
                }
            }
            _ => self.keep(path, l),
        }
    }

    fn map(&mut self, path: &Path, b: &Map<String, Value>, a: &Map<String, Value>, l: &Map<String, Value>) -> Map<String, Value> {
        let mut merged = Map::new();
        let gone = b.keys().filter(|name| !l.contains_key(*name));
        for name in l.keys().chain(gone) {
            if let Some(value) = self.value(&path.field(name), b.get(name), a.get(name), l.get(name)) {
                merged.insert(name.clone(), value);
            }
        }
        // A field that we added and somebody else removed is gone: nothing of ours is left.
        merged
    }

    fn list(&mut self, path: &Path, b: &Keyed<'_>, a: &Keyed<'_>, l: &Keyed<'_>) -> Vec<Value> {
        let mut merged: Vec<(String, Value)> = Vec::new();
        for (key, live) in &l.0 {
            if let Some(value) = self.value(&path.element(key), b.get(key), a.get(key), Some(live)) {
                merged.push((key.clone(), value));
            }
        }
        for (index, (key, _)) in b.0.iter().enumerate().filter(|(_, (key, _))| l.get(key).is_none()) {
            let Some(value) = self.value(&path.element(key), b.get(key), a.get(key), None) else { continue };
            // What comes back goes behind the neighbour that it had.
            let behind = b.0[..index].iter().rev().find_map(|(before, _)| merged.iter().position(|(there, _)| there == before));
            merged.insert(behind.map_or(0, |at| at + 1), (key.clone(), value));
        }
        merged.into_iter().map(|(_, value)| value).collect()
    }

    fn keep(&mut self, path: &Path, l: Option<&Value>) -> Option<Value> {
        self.kept.push(path.clone());
        l.cloned()
    }
}

/// A list's elements with their natural keys.
struct Keyed<'a>(Vec<(String, &'a Value)>);

impl<'a> Keyed<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| *value)
    }

    /// With the keys that elements had whose keys alone somebody changed, where that leaves no doubt.
    fn with_earlier_keys(self, path: &Path, before: &Self, after: &Self) -> Self {
        let is_lost = |key: &str| self.get(key).is_none() && before.get(key).is_some();
        // As we left it, or as an earlier attempt to take it back did.
        let lost: Vec<(&String, [Option<Value>; 2])> = after
            .0
            .iter()
            .filter(|(key, _)| is_lost(key))
            .map(|(key, element)| (key, [besides_key(path, element), before.get(key).and_then(|element| besides_key(path, element))]))
            .collect();
        let is_new = |key: &str| before.get(key).is_none() && after.get(key).is_none();
        let rests: Vec<Option<Value>> =
            self.0.iter().map(|(key, element)| is_new(key).then(|| besides_key(path, element)).flatten()).collect();
        let key_of = |rest: &Option<Value>| {
            let (mut same, alike) =
                (lost.iter().filter(|(_, lost)| lost.contains(rest)), rests.iter().filter(|other| *other == rest).count());
            match (rest, same.next(), same.next(), alike) {
                (Some(_), Some((key, _)), None, 1) => Some((*key).clone()),
                _ => None,
            }
        };
        let keys: Vec<Option<String>> = rests.iter().map(key_of).collect();
        Self(self.0.into_iter().zip(keys).map(|((key, element), earlier)| (earlier.unwrap_or(key), element)).collect())
    }
}

/// None when the list has no natural keys, or one of them twice: then it is one value.
fn keyed<'a>(path: &Path, list: &'a [Value]) -> Option<Keyed<'a>> {
    let mut keyed: Vec<(String, &Value)> = Vec::new();
    for element in list {
        let key = element_key(path, element)?;
        if keyed.iter().any(|(known, _)| *known == key) {
            return None;
        }
        keyed.push((key, element));
    }
    Some(Keyed(keyed))
}
