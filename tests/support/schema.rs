//! As much of JSON Schema as the document of the sighting record uses.

use regex::Regex;
use serde_json::{Map, Value};

/// The published schema of the sighting record.
pub fn sighting() -> Value {
    serde_json::from_str(include_str!("../../docs/sighting-1.schema.json")).unwrap()
}

/// What is wrong with a value, each with its place; empty if it is valid.
pub fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(root, root, value, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        let ok = match keyword.as_str() {
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap());
                check(root, target.expect("a definition"), value, at, faults);
                true
            }
            "type" => has_type(value, rule.as_str().unwrap()),
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "pattern" => Regex::new(rule.as_str().unwrap()).unwrap().is_match(value.as_str().unwrap_or("")),
            "minimum" => value.as_u64() >= rule.as_u64(),
            "maximum" => value.as_u64() <= rule.as_u64(),
            "minItems" => value.as_array().map(Vec::len) >= Some(rule.as_u64().unwrap() as usize),
            "maxItems" => value.as_array().map(Vec::len) <= Some(rule.as_u64().unwrap() as usize),
            "uniqueItems" => {
                let items = value.as_array().unwrap();
                items.iter().enumerate().all(|(i, item)| !items[..i].contains(item))
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}/{i}"), faults);
                }
                true
            }
            "required" => rule.as_array().unwrap().iter().all(|field| value.get(field.as_str().unwrap()).is_some()),
            "properties" => {
                properties(root, rule.as_object().unwrap(), value, at, faults);
                true
            }
            "$schema" | "$defs" | "title" | "description" => true,
            other => panic!("the validator does not know {other}"),
        };
        if !ok {
            faults.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
}

/// The schema lets fields be added; what this program prints is all described.
fn properties(root: &Value, rules: &Map<String, Value>, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (field, inner) in value.as_object().into_iter().flatten() {
        match rules.get(field) {
            Some(rule) => check(root, rule, inner, &format!("{at}/{field}"), faults),
            None => faults.push(format!("{at}/{field}: the schema does not describe it")),
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the validator does not know the type {other}"),
    }
}
