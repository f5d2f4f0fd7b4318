//! JSON as anybody reads it alike: a member that stands twice is refused, since
//! some readers take the first and some the last, and there is an end to how
//! much is read.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;
use std::io::Read;

/// Reads a document with up to so many values in it.
pub(super) fn value(text: impl Read, most: u64) -> serde_json::Result<Value> {
    let mut left = most;
    let mut reader = serde_json::Deserializer::from_reader(text);
    let value = Strict(&mut left).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// How many values are in one, itself included.
pub(super) fn size(value: &Value) -> u64 {
    let below: u64 = match value {
        Value::Array(all) => all.iter().map(size).fold(0, u64::saturating_add),
        Value::Object(all) => all.values().map(size).fold(0, u64::saturating_add),
        _ => 0,
    };
    below.saturating_add(1)
}

/// How many values may still come.
struct Strict<'l>(&'l mut u64);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        *self.0 = self.0.checked_sub(1).ok_or_else(|| D::Error::custom("it has more values than it can have"))?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = from.next_element_seed(Strict(&mut *self.0))? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            let value = from.next_value_seed(Strict(&mut *self.0))?;
            if all.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{key:?} stands twice")));
            }
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_member_stands_once() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"c":1,"d":2,"c":3}}]"#] {
            assert!(value(text.as_bytes(), 100).unwrap_err().to_string().contains("stands twice"), "{text}");
        }
        for text in ["", "{", "1 2", "[1,]"] {
            assert!(value(text.as_bytes(), 100).is_err(), "{text}");
        }
    }

    #[test]
    fn there_is_an_end_to_it() {
        let text = format!("[{}0]", "0,".repeat(98));
        assert_eq!(size(&value(text.as_bytes(), 100).unwrap()), 100);
        assert!(value(text.as_bytes(), 99).unwrap_err().to_string().contains("more values"));
    }

    proptest! {
        #[test]
        fn the_rest_is_read_as_ever(text in r#"(\{"a":-?[0-9]{1,18},"b":\[[0-9]\.[0-9]{1,9},null,true,"x"\]\}|-?[0-9]{1,19}|[0-9]e[0-9]{1,2})"#) {
            let usual: Option<Value> = serde_json::from_str(&text).ok();
            prop_assert_eq!(value(text.as_bytes(), 100).ok(), usual);
        }
    }
}
