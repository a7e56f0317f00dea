//! A serde deserializer over a node of a plan's tree. Where it fails is kept beside it, since errors carry no place.

use super::access::{Choice, Elements, Entries, Word};
use super::mistake::Mistake;
use super::{Failed, Failure, Ledger, is_hole};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::expr::{Text, Wanted};
use serde::de::{Deserializer, Error, Visitor};
use serde_json::{Number, Value, json};
use std::borrow::Cow;
use std::cell::RefCell;

/// Reads one node.
#[derive(Clone, Copy)]
pub(in crate::plan) struct NodeReader<'n, 'l> {
    pub(super) node: &'n Node,
    pub(super) ledger: &'l RefCell<Ledger>,
}

impl<'n, 'l> NodeReader<'n, 'l> {
    pub(super) fn of(self, node: &'n Node) -> Self {
        Self { node, ..self }
    }

    /// Remembers where a pass failed, unless something inside failed before. Called where a type first says no: behind a trait object,
    /// as actions are, a mistake is nothing but words from there on.
    pub(super) fn note(self, mistake: &Mistake) {
        let node = self.node;
        let failure = Failure { span: node.label.clone(), found: node.describe(), mistake: mistake.clone() };
        self.remember(node.id, is_hole(node), failure);
    }

    pub(super) fn note_key(self, entry: &Entry, mistake: &Mistake) {
        let failure = Failure { span: entry.key_span.clone(), found: format!("the key `{}`", entry.key), mistake: mistake.clone() };
        self.remember(entry.key_id, false, failure);
    }

    fn remember(self, id: usize, is_hole: bool, failure: Failure) {
        let mut ledger = self.ledger.borrow_mut();
        if ledger.failed.is_none() {
            let is_partial = id == self.node.id && self.has_gaps(&ledger);
            ledger.failed = Some(Failed { id, is_hole, is_partial, failure });
        }
    }

    fn has_gaps(self, ledger: &Ledger) -> bool {
        match &self.node.kind {
            Kind::List(items) => items.iter().any(|item| ledger.left_out.contains(&item.id)),
            Kind::Map(entries) => entries.iter().any(|entry| ledger.left_out.contains(&entry.value.id)),
            _ => false,
        }
    }

    pub(super) fn is_left_out(self, id: usize) -> bool {
        self.ledger.borrow().left_out.contains(&id)
    }

    fn want(self, wanted: Wanted) {
        self.ledger.borrow_mut().wanted.insert(self.node.id, wanted);
    }

    fn sample(self, value: impl FnOnce() -> Value) -> Value {
        self.ledger.borrow_mut().samples.entry(self.node.id).or_insert_with(value).clone()
    }

    fn open(self) -> Result<(), Mistake> {
        if self.is_left_out(self.node.id) { Err(Mistake::Known) } else { Ok(()) }
    }

    fn any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        let sampled = self.ledger.borrow().samples.get(&self.node.id).cloned();
        if let Some(sample) = sampled {
            return visit_value(&sample, visitor);
        }
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Number(number) => {
                refuse_leading_zero(self.node.written.as_deref())?;
                visit_number(number, visitor)
            }
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Elements::new(self, items)),
            Kind::Map(entries) => visitor.visit_map(Entries::new(self, entries)),
        }
    }

    fn number<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        self.want(Wanted::Number);
        if is_hole(self.node) {
            self.sample(|| json!(1));
        }
        self.any(visitor)
    }

    fn text<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        self.want(Wanted::Text);
        match (&self.node.kind, &self.node.written) {
            (Kind::Number(_) | Kind::Bool(_), Some(written)) => visitor.visit_borrowed_str(written),
            _ => self.any(visitor),
        }
    }

    /// A template with something around it gives a text, whatever its names stand for.
    fn refuse_text(self, wanted: &str) -> Result<(), Mistake> {
        let Kind::Text(text) = &self.node.kind else { return Ok(()) };
        if !Text::is_template(text) || Text::parse(text).is_ok_and(|parsed| parsed.is_lone()) {
            return Ok(());
        }
        let mistake = Mistake::WrongType { wanted: wanted.to_owned() };
        let failure = Failure { span: self.node.label.clone(), found: self.node.describe(), mistake: mistake.clone() };
        self.remember(self.node.id, false, failure);
        Err(mistake)
    }

    fn boolean<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        self.want(Wanted::Boolean);
        if is_hole(self.node) {
            self.sample(|| json!(false));
        }
        self.any(visitor)
    }

    fn list<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        self.refuse_text("a list")?;
        if is_hole(self.node) {
            self.sample(|| json!([]));
        }
        self.any(visitor)
    }

    fn map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        self.refuse_text("a mapping")?;
        if is_hole(self.node) {
            self.sample(|| json!({}));
        }
        if self.node.kind == Kind::Null {
            self.ledger.borrow_mut().empty_maps.insert(self.node.id);
            return visitor.visit_map(Entries::new(self, &[]));
        }
        // A type would take a list for its keys in their order, which nobody means.
        if matches!(self.node.kind, Kind::List(_)) {
            return Err(Mistake::WrongType { wanted: "a mapping".to_owned() });
        }
        self.any(visitor)
    }

    fn choice<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open()?;
        let sampled = self.ledger.borrow().samples.get(&self.node.id).cloned();
        match (&self.node.kind, sampled) {
            (_, Some(Value::String(word))) => visitor.visit_enum(Word { reader: self, word: Cow::Owned(word) }),
            (Kind::Text(word), _) => visitor.visit_enum(Word { reader: self, word: Cow::Borrowed(word) }),
            (Kind::Map(entries), _) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Choice { reader: self, entry }),
                [] => Err(Mistake::WrongValue { wanted: "a mapping with one key".to_owned() }),
                [_, more @ ..] => {
                    let keys: Vec<String> = more.iter().map(|entry| format!("`{}`", entry.key)).collect();
                    Err(Mistake::Other(format!("exactly one key belongs here, and {} came too", keys.join(", "))))
                }
            },
            _ => Err(Mistake::WrongType { wanted: "a word, or a mapping with one key".to_owned() }),
        }
    }
}

/// `0644` is 420 to one program and 644 to another.
fn refuse_leading_zero(written: Option<&str>) -> Result<(), Mistake> {
    let digits = written.map(|text| text.trim_start_matches(['+', '-'])).unwrap_or_default();
    match digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        true => Err(Mistake::custom(format!(
            "`{digits}` has a leading zero: write '{digits}' if it is a text, 0o{} if it is octal",
            &digits[1..]
        ))),
        false => Ok(()),
    }
}

fn visit_number<'n, V: Visitor<'n>>(number: &Number, visitor: V) -> Result<V::Value, Mistake> {
    match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => visitor.visit_u64(value),
        (None, Some(value)) => visitor.visit_i64(value),
        (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
    }
}

fn visit_value<'n, V: Visitor<'n>>(value: &Value, visitor: V) -> Result<V::Value, Mistake> {
    match value {
        Value::Null => visitor.visit_unit(),
        Value::Bool(value) => visitor.visit_bool(*value),
        Value::Number(number) => visit_number(number, visitor),
        Value::String(text) => visitor.visit_str(text),
        Value::Array(_) => visitor.visit_seq(serde::de::value::SeqDeserializer::new(std::iter::empty::<u8>())),
        Value::Object(_) => visitor.visit_map(serde::de::value::MapDeserializer::new(std::iter::empty::<(u8, u8)>())),
    }
}

macro_rules! hinted {
    ($($method:ident => $with:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
            self.$with(visitor).inspect_err(|mistake| self.note(mistake))
        })*
    };
}

impl<'n> Deserializer<'n> for NodeReader<'n, '_> {
    type Error = Mistake;

    hinted! {
        deserialize_any => any, deserialize_bytes => any, deserialize_byte_buf => any, deserialize_unit => any,
        deserialize_bool => boolean, deserialize_char => text, deserialize_str => text, deserialize_string => text,
        deserialize_identifier => text, deserialize_seq => list, deserialize_map => any,
        deserialize_i8 => number, deserialize_i16 => number, deserialize_i32 => number, deserialize_i64 => number, deserialize_i128 => number,
        deserialize_u8 => number, deserialize_u16 => number, deserialize_u32 => number, deserialize_u64 => number, deserialize_u128 => number,
        deserialize_f32 => number, deserialize_f64 => number,
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.open().inspect_err(|mistake| self.note(mistake))?;
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        self.any(visitor).inspect_err(|mistake| self.note(mistake))
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.list(visitor).inspect_err(|mistake| self.note(mistake))
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.list(visitor).inspect_err(|mistake| self.note(mistake))
    }

    fn deserialize_struct<V: Visitor<'n>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        self.map(visitor).inspect_err(|mistake| self.note(mistake))
    }

    fn deserialize_enum<V: Visitor<'n>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        self.choice(visitor).inspect_err(|mistake| self.note(mistake))
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }
}
