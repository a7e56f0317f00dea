//! Reads YAML straight into nodes with their places: one pass, one tree.
//!
//! The YAML crate tells places to types that ask as its own `Spanned` does: a newtype of this name, seen as a mapping of a mark, the value,
//! and where the value is used and defined. `Spanned` itself makes a text for every node and reads both places; a plan of 100,000 steps
//! has a million nodes. Should the crate change that, every test of a place fails.

use super::{Builder, Entry, Kind, Node};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

const SPANNED: &str = "__yaml_spanned";

/// Where in the tree a node stands, as far as that matters to what becomes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Root,
    /// The list whose items are handed over.
    Listing,
    Inside,
}

/// Reads a node. `key` is the place of the key before it.
pub(super) struct NodeSeed<'b, 't> {
    pub(super) builder: &'b Builder<'t>,
    pub(super) key: Option<&'b Range<usize>>,
    pub(super) level: Level,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let (kind, place) = Placed { seed: KindSeed { builder: self.builder, level: self.level } }.deserialize(deserializer)?;
        Ok(self.builder.node(kind, place, self.key))
    }
}

/// Reads something and the bytes at which it is defined: below an alias every node would otherwise stand at the alias itself.
struct Placed<S> {
    seed: S,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Placed<S> {
    type Value = (S::Value, (u64, u64));

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_newtype_struct(SPANNED, self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Placed<S> {
    type Value = (S::Value, (u64, u64));

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_struct(SPANNED, &[], self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        pass(&mut parts, 2)?;
        let value = parts.next_value_seed(self.seed)?;
        pass(&mut parts, 2)?;
        let place = parts.next_value_seed(Nested { before: 3, inner: Nested { before: 3, inner: PhantomData::<(u64, u64)> } })?;
        Ok((value, place))
    }
}

/// Goes to the value behind so many keys.
fn pass<'de, A: MapAccess<'de>>(parts: &mut A, count: usize) -> Result<(), A::Error> {
    for _ in 0..count {
        parts.next_key::<IgnoredAny>()?.ok_or_else(|| A::Error::custom("the YAML crate tells places otherwise than it did"))?;
    }
    Ok(())
}

/// A part of a place: of `line`, `column` and `span` the last, and of `offset`, `len` and `byte_info` again.
struct Nested<S> {
    before: usize,
    inner: S,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nested<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_struct("", &[], self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Nested<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<S::Value, A::Error> {
        pass(&mut parts, self.before)?;
        parts.next_value_seed(self.inner)
    }
}

struct KindSeed<'b, 't> {
    builder: &'b Builder<'t>,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for KindSeed<'_, '_> {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KindSeed<'_, '_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Kind, E> {
        Number::from_i128(value).map(Kind::Number).ok_or_else(|| E::custom("this number is too large"))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Kind, E> {
        Number::from_u128(value).map(Kind::Number).ok_or_else(|| E::custom("this number is too large"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Kind, E> {
        Number::from_f64(value).map(Kind::Number).ok_or_else(|| E::custom("this is not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(NodeSeed { builder: self.builder, key: None, level: Level::Inside })? {
            match self.level {
                Level::Listing => self.builder.hand_over(&item),
                Level::Root | Level::Inside => items.push(item),
            }
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, place)) = map.next_key_seed(Placed { seed: PhantomData::<String> })? {
            let (key_id, key_span) = (self.builder.next_id(), self.builder.bytes(place));
            let level = if self.level == Level::Root { self.builder.below_root(&key) } else { Level::Inside };
            let value = map.next_value_seed(NodeSeed { builder: self.builder, key: Some(&key_span), level })?;
            entries.push(Entry { key, key_id, key_span, value });
        }
        Ok(Kind::Map(entries))
    }
}
