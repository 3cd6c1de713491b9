//! The columns of JSON objects: deserializing a record adds to what its columns have to hold.

use std::fmt;

use arrow::datatypes::{DataType, Field};
use serde::de::{
    DeserializeSeed, Deserializer, Error as DeserializeError, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use super::kinds::Kinds;

/// What the values of a key are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// Only null so far.
    Unknown,
    Plain(Kinds),
    List(Box<Shape>),
    Object(Fields),
}

/// The keys of objects, in the order in which they were first seen, and their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, Shape)>);

impl Fields {
    /// The columns of a table that holds such objects.
    pub(super) fn arrow(&self) -> Vec<Field> {
        self.0.iter().map(|(name, shape)| Field::new(name, shape.data_type(), true)).collect()
    }

    /// The place of a key, which is mostly at `expected`, because objects repeat their keys in the
    /// same order.
    fn index(&mut self, key: &str, expected: usize) -> usize {
        if self.0.get(expected).is_some_and(|(known, _)| known == key) {
            return expected;
        }
        self.0.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
            self.0.push((key.to_owned(), Shape::Unknown));
            self.0.len() - 1
        })
    }

    fn visit<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(index) = map.next_key_seed(Key { fields: self, expected })? {
            let (name, shape) = &mut self.0[index];
            map.next_value_seed(Value { name, shape })?;
            expected = index + 1;
        }
        Ok(())
    }
}

impl Shape {
    fn data_type(&self) -> DataType {
        match self {
            Self::Unknown => DataType::Utf8,
            Self::Plain(kinds) => kinds.data_type(),
            Self::List(element) => DataType::new_list(element.data_type(), true),
            Self::Object(fields) => DataType::Struct(fields.arrow().into()),
        }
    }
}

/// Deserializes an object into its fields.
pub(super) struct Record<'a>(pub(super) &'a mut Fields);

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.visit(map)
    }
}

/// Deserializes a key into its place.
struct Key<'a> {
    fields: &'a mut Fields,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<usize, E> {
        Ok(self.fields.index(key, self.expected))
    }
}

/// Deserializes a value into the shape of all values of its key.
struct Value<'a> {
    name: &'a str,
    shape: &'a mut Shape,
}

impl Value<'_> {
    fn plain<E: DeserializeError>(self, kind: Kinds) -> Result<(), E> {
        match self.shape {
            Shape::Unknown => *self.shape = Shape::Plain(kind),
            Shape::Plain(kinds) => kinds.insert(kind),
            Shape::List(_) | Shape::Object(_) => return Err(self.mixed()),
        }
        Ok(())
    }

    fn mixed<E: DeserializeError>(&self) -> E {
        E::custom(format!(
            "key {:?} has values of different shapes: objects, arrays or plain values",
            self.name
        ))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: DeserializeError>(self, _value: bool) -> Result<(), E> {
        self.plain(Kinds::BOOLEAN)
    }

    fn visit_i64<E: DeserializeError>(self, _value: i64) -> Result<(), E> {
        self.plain(Kinds::INTEGER)
    }

    fn visit_u64<E: DeserializeError>(self, value: u64) -> Result<(), E> {
        // As text it keeps all its digits.
        self.plain(if i64::try_from(value).is_ok() { Kinds::INTEGER } else { Kinds::TEXT })
    }

    fn visit_f64<E: DeserializeError>(self, _value: f64) -> Result<(), E> {
        self.plain(Kinds::FLOAT)
    }

    fn visit_str<E: DeserializeError>(self, value: &str) -> Result<(), E> {
        self.plain(Kinds::of_quoted(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if *self.shape == Shape::Unknown {
            *self.shape = Shape::List(Box::new(Shape::Unknown));
        }
        let Shape::List(shape) = self.shape else { return Err(self.mixed()) };
        while elements.next_element_seed(Value { name: self.name, shape })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if *self.shape == Shape::Unknown {
            *self.shape = Shape::Object(Fields::default());
        }
        match self.shape {
            Shape::Object(fields) => fields.visit(map),
            _ => {
                // The rest of the object is well formed or its own error comes first.
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Err(self.mixed())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(records: &str, expected: Result<&str, &str>) {
        let mut fields = Fields::default();
        let mut deserializer = serde_json::Deserializer::from_str(records);
        let mut result = Ok(());
        while result.is_ok() && deserializer.end().is_err() {
            result = Record(&mut fields).deserialize(&mut deserializer);
        }
        let shown = fields
            .arrow()
            .into_iter()
            .map(|field| format!("{} {}", field.name(), field.data_type()));
        let actual = result.map(|()| shown.collect::<Vec<_>>().join(", "));
        let actual = actual.map_err(|error| error.to_string());
        assert_eq!(actual.as_deref(), expected.map_err(str::to_owned).as_deref(), "{records}");
    }

    #[test]
    fn shapes() {
        check(r#"{"b":1,"a":true}{"a":false,"c":null}"#, Ok("b Int64, a Boolean, c Utf8"));
        check(r#"{"a":1}{"a":1.5}"#, Ok("a Float64"));
        check(r#"{"a":1}{"a":"x"}"#, Ok("a Utf8"));
        check(r#"{"a":"1"}"#, Ok("a Utf8"));
        check(r#"{"a":18446744073709551615}"#, Ok("a Utf8"));
        check(r#"{"a":"2024-12-31"}{"a":null}"#, Ok("a Date32"));
        check(r#"{"a":"2024-12-31 10:00:00"}"#, Ok("a Timestamp(µs)"));
        check(
            r#"{"a":{"b":[1,null]}}{"a":{"c":"x"}}"#,
            Ok(r#"a Struct("b": List(Int64), "c": Utf8)"#),
        );
        check(r#"{"a":[]}"#, Ok("a List(Utf8)"));
    }

    #[test]
    fn mixed_shapes_are_refused() {
        let message = "key \"a\" has values of different shapes: objects, arrays or plain values";
        for second in [r#"{"a":{"b":2}}"#, r#"{"a":[2]}"#] {
            let records = format!(r#"{{"a":1}}{second}"#);
            let mut fields = Fields::default();
            let mut deserializer = serde_json::Deserializer::from_str(&records);
            Record(&mut fields).deserialize(&mut deserializer).unwrap();
            let error = Record(&mut fields).deserialize(&mut deserializer).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }

    #[test]
    fn only_objects_are_records() {
        check("1", Err("invalid type: integer `1`, expected an object at line 1 column 1"));
    }
}
