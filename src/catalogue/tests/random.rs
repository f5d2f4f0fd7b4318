//! Properties over random catalogues and names.

use super::*;
use proptest::prelude::*;
use std::fmt::Write;

/// Names over few labels, so that they meet.
fn names() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "a1", "x-y", "com"]), 1..5)
        .prop_map(|l| l.join("."))
}

/// An indicator: its category, whether it is off, its kind of pattern, a name.
fn entries() -> impl Strategy<Value = Vec<(&'static str, bool, u8, String)>> {
    let category = prop::sample::select(vec!["update", "web", "lookalike", "service"]);
    let off = prop::bool::weighted(0.1);
    prop::collection::vec((category, off, 0u8..5, names()), 1..25)
}

fn toml(entries: &[(&str, bool, u8, String)]) -> String {
    // Never all off.
    let mut out = "[[indicator]]\nid = \"first\"\ncategory = \"web\"\nuse = \"alone\"\nconfidence = \"low\"\n\
                   meaning = \"First.\"\nexact = \"first.test\"\n"
        .to_owned();
    for (i, (category, off, kind, name)) in entries.iter().enumerate() {
        let usage = if *off { "off" } else { "alone" };
        let alarm = *category == "lookalike";
        let pattern = match kind {
            0 => format!("exact = \"{name}\""),
            1 => format!("suffix = \"{name}\""),
            2 => format!("host = {{ labels = 'a[0-9]?', under = \"{name}\" }}"),
            3 if !alarm => format!("suffix = \"{name}\"\nresidual = true"),
            3 => format!("suffix = \"{name}\""),
            _ => format!("host = {{ labels = '[ab.]*', under = \"{name}\" }}"),
        };
        let _ = write!(
            out,
            "[[indicator]]\nid = \"i-{i}\"\ncategory = \"{category}\"\nuse = \"{usage}\"\nconfidence = \"low\"\n\
             meaning = \"Random.\"\n{pattern}\n"
        );
    }
    out
}

fn draft(text: &str) -> Catalogue {
    from_text(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_matcher_agrees_with_the_plain_reading(list in entries(), probes in prop::collection::vec(names(), 30)) {
        let c = draft(&toml(&list));
        for text in probes.iter().chain(list.iter().map(|e| &e.3)) {
            let n = name(text);
            let plain = c.explain_name(&n).into_iter().find(|f| !f.off).map(|f| f.indicator);
            prop_assert_eq!(c.match_name(&n), plain, "{}", text);
        }
    }

    #[test]
    fn suffixes_hold_only_at_label_boundaries(glued in "[a-z0-9_-]{1,20}", labels in "([a-z0-9-]{1,8}\\.){0,3}") {
        let c = Catalogue::builtin();
        for suffix in ["kaspersky-labs.com", "upd.kaspersky.com", "kasperskyupdate.com", "kaspersky.icu"] {
            let below = format!("{labels}{glued}.{suffix}");
            prop_assert!(by_name(&c, &below).is_some(), "{}", below);
            let beside = format!("{labels}{glued}{suffix}");
            let found = by_name(&c, &beside);
            // What stands at the boundary now is another name below the
            // vendor's own domain, or none of it.
            match suffix {
                "upd.kaspersky.com" => prop_assert!(!found.is_some_and(|f| f.starts_with("update-upd")), "{}", beside),
                _ if found.is_some_and(|f| f.starts_with("lookalike-")) => {
                    let owner = c.find(found.unwrap_or_default()).map(|(_, i)| i.patterns().next().unwrap().to_string());
                    prop_assert_ne!(owner, Some(format!("suffix:{suffix}")), "{}", beside);
                }
                _ => prop_assert_eq!(found, None, "{}", beside),
            }
        }
    }

    #[test]
    fn any_bytes_are_looked_up_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let c = Catalogue::builtin();
        let n = Name::from_text(&bytes);
        let _ = (c.match_path(&bytes), c.match_payload(6, 443, &bytes), c.is_encrypted_dns_name(&n));
        if n.is_odd() {
            prop_assert_eq!(c.match_name(&n), None);
        }
    }

    #[test]
    fn any_text_is_read_without_harm(text in "(\\[\\[|indicator|\\]\\]|\n|=|\"|id|exact|a|\\{|\\}|\\[|\\]|'|,| ){0,40}") {
        let _ = from_text(&text);
    }
}
