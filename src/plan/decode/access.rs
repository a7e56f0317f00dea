//! How serde walks the lists, mappings and choices of a plan's tree: what was left out is passed over, what fails is noted.

use super::mistake::Mistake;
use super::node::NodeReader;
use crate::expr::yaml::{Entry, Node};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use std::borrow::Cow;

pub(super) struct Elements<'n, 'l> {
    reader: NodeReader<'n, 'l>,
    rest: std::slice::Iter<'n, Node>,
}

impl<'n, 'l> Elements<'n, 'l> {
    pub(super) fn new(reader: NodeReader<'n, 'l>, items: &'n [Node]) -> Self {
        Self { reader, rest: items.iter() }
    }
}

impl<'n> SeqAccess<'n> for Elements<'n, '_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let reader = self.reader;
        let Some(item) = self.rest.by_ref().find(|item| !reader.is_left_out(item.id)) else { return Ok(None) };
        let inner = reader.of(item);
        seed.deserialize(inner).map(Some).inspect_err(|mistake| inner.note(mistake))
    }
}

pub(super) struct Entries<'n, 'l> {
    reader: NodeReader<'n, 'l>,
    rest: std::slice::Iter<'n, Entry>,
    current: Option<&'n Entry>,
}

impl<'n, 'l> Entries<'n, 'l> {
    pub(super) fn new(reader: NodeReader<'n, 'l>, entries: &'n [Entry]) -> Self {
        Self { reader, rest: entries.iter(), current: None }
    }
}

impl<'n> MapAccess<'n> for Entries<'n, '_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let reader = self.reader;
        let open = |entry: &&Entry| !reader.is_left_out(entry.key_id) && !reader.is_left_out(entry.value.id);
        self.current = self.rest.by_ref().find(open);
        let Some(entry) = self.current else { return Ok(None) };
        let key = seed.deserialize(Key { reader, entry });
        key.map(Some).inspect_err(|mistake| reader.note_key(entry, mistake))
    }

    fn next_value_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<T::Value, Mistake> {
        let entry = self.current.expect("serde asks for a value after its key");
        let inner = self.reader.of(&entry.value);
        seed.deserialize(inner).inspect_err(|mistake| inner.note(mistake))
    }
}

struct Key<'n, 'l> {
    reader: NodeReader<'n, 'l>,
    entry: &'n Entry,
}

impl<'n> Deserializer<'n> for Key<'n, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_borrowed_str(&self.entry.key).inspect_err(|mistake| self.reader.note_key(self.entry, mistake))
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'n>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        let word = visitor.visit_enum(BorrowedStrDeserializer::new(&self.entry.key));
        word.inspect_err(|mistake| self.reader.note_key(self.entry, mistake))
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

/// A choice that is written as a word alone.
pub(super) struct Word<'n, 'l> {
    pub(super) reader: NodeReader<'n, 'l>,
    pub(super) word: Cow<'n, str>,
}

impl<'n> Deserializer<'n> for &Word<'n, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_str(&self.word).inspect_err(|mistake| self.reader.note(mistake))
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any option newtype_struct enum
    }
}

impl<'n> EnumAccess<'n> for Word<'n, '_> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Mistake> {
        seed.deserialize(&self).map(|variant| (variant, self))
    }
}

impl Word<'_, '_> {
    fn wants_more(&self) -> Mistake {
        Mistake::WrongType { wanted: format!("a mapping with the key `{}`", self.word) }
    }
}

impl<'n> VariantAccess<'n> for Word<'n, '_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, _: T) -> Result<T::Value, Mistake> {
        Err(self.wants_more())
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, _: V) -> Result<V::Value, Mistake> {
        Err(self.wants_more())
    }

    fn struct_variant<V: Visitor<'n>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Mistake> {
        Err(self.wants_more())
    }
}

pub(super) struct Choice<'n, 'l> {
    pub(super) reader: NodeReader<'n, 'l>,
    pub(super) entry: &'n Entry,
}

impl<'n> Choice<'n, '_> {
    fn content<T>(&self, read: impl FnOnce(NodeReader<'n, '_>) -> Result<T, Mistake>) -> Result<T, Mistake> {
        let inner = self.reader.of(&self.entry.value);
        read(inner).inspect_err(|mistake| inner.note(mistake))
    }
}

impl<'n> EnumAccess<'n> for Choice<'n, '_> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Mistake> {
        if self.reader.is_left_out(self.entry.key_id) {
            self.reader.note(&Mistake::Known);
            return Err(Mistake::Known);
        }
        let variant = seed.deserialize(Key { reader: self.reader, entry: self.entry });
        let variant = variant.inspect_err(|mistake: &Mistake| self.reader.note_key(self.entry, mistake))?;
        Ok((variant, self))
    }
}

impl<'n> VariantAccess<'n> for Choice<'n, '_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        self.content(|reader| serde::Deserialize::deserialize(reader))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, Mistake> {
        self.content(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.content(|reader| reader.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'n>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        self.content(|reader| reader.deserialize_struct("", fields, visitor))
    }
}
