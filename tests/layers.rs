//! The layers of the crate use each other in one direction only: each may use
//! those above it in the table of `src/lib.rs`, and none below.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The layers in the order of the table in the docs of `src/lib.rs`.
fn layers(lib: &str) -> Vec<String> {
    lib.lines()
        .filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`]"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The source with comments and literals blanked out, and without items that
/// are compiled for tests only.
fn production_code(source: &str) -> String {
    without_test_items(&without_comments_and_literals(source))
}

fn without_comments_and_literals(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        let previous = code.chars().next_back().unwrap_or(' ');
        let starts_word = !previous.is_alphanumeric() && previous != '_';
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if starts_word && rest.starts_with('r') {
            raw_string(rest)
        } else if rest.starts_with('\'') {
            char_literal(rest)
        } else {
            0
        };
        if skipped > 0 {
            code.push(' ');
            at += skipped;
        } else {
            let next = rest.chars().next().expect("not at the end");
            code.push(next);
            at += next.len_utf8();
            // The `r` of `br"…"` must count as the start of a raw string.
            if next == 'b' && starts_word && source[at..].starts_with('r') && raw_string(&source[at..]) > 0 {
                code.push(' ');
            }
        }
    }
    code
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a raw string literal at the start, or 0 if there is none.
fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].bytes().take_while(|&b| b == b'#').count();
    if rest.as_bytes().get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
}

/// Length of a character literal at the start, or 0 for a lifetime.
fn char_literal(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            rest[after..].find('\'').map_or(0, |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Drops what follows each `#[cfg(test)]`: up to the end of the item's braces,
/// or to its semicolon.
fn without_test_items(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(TEST) {
        kept.push_str(&rest[..at]);
        let item = &rest[at + TEST.len()..];
        rest = &item[item_end(item)..];
    }
    kept + rest
}

fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Modules that a file declares for tests only (`#[cfg(test)] mod name;`).
fn test_modules(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for item in code.split("#[cfg(test)]").skip(1) {
        let declared = item[..item_end(item)].trim().strip_suffix(';').and_then(|d| d.rsplit_once("mod "));
        if let Some((_, name)) = declared {
            modules.insert(name.trim().to_owned());
        }
    }
    modules
}

/// The first segments of all paths that start at the crate's root, in a file
/// whose module lies `depth` below it.
fn root_references(code: &str, depth: usize) -> BTreeSet<String> {
    let mut references = BTreeSet::new();
    for (start, root) in roots(code, depth) {
        let path = code[start + root..].trim_start();
        if let Some(group) = path.strip_prefix('{') {
            references.extend(group_heads(group));
        } else {
            references.extend(identifier(path));
        }
    }
    references
}

/// Where paths from the root begin, and the length of what leads to the root:
/// `crate::`, or as many `super::` as the module is deep.
fn roots(code: &str, depth: usize) -> Vec<(usize, usize)> {
    let supers = "super::".repeat(depth);
    let mut found = Vec::new();
    for root in ["crate::", supers.as_str()] {
        for (at, _) in code.match_indices(root).filter(|_| !root.is_empty()) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if !before.is_alphanumeric() && before != '_' && before != ':' {
                found.push((at, root.len()));
            }
        }
    }
    found
}

/// The first segment of each path in a `use` group, after its opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut head) = (Vec::new(), 0, true);
    for (at, next) in group.char_indices() {
        match next {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => head = true,
            _ if head && !next.is_whitespace() => {
                heads.extend(identifier(&group[at..]));
                head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The layers that a file of `layer` uses though they come later in `layers`.
fn upward(layers: &[String], layer: &str, code: &str, depth: usize) -> Vec<String> {
    let rank = |name: &str| layers.iter().position(|l| l == name);
    let own = rank(layer);
    root_references(code, depth).into_iter().filter(|name| rank(name) > own).collect()
}

struct SourceFile {
    path: PathBuf,
    layer: String,
    /// How many modules lie between this one and the root, itself included.
    depth: usize,
    code: String,
}

/// All files of the library below `src`, those for tests only left out.
fn source_files(src: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable source folder") {
            let path = entry.expect("a readable source folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: &Path| std::fs::read_to_string(path).expect("a readable source file");
    let mut tests_only = BTreeSet::new();
    for path in &files {
        let stem = path.file_stem().unwrap_or_default();
        let inside = if stem == "mod" || stem == "lib" { path.with_file_name("") } else { path.with_extension("") };
        for module in test_modules(&without_comments_and_literals(&read(path))) {
            tests_only.insert(inside.join(module));
        }
    }
    files
        .into_iter()
        .filter(|path| !tests_only.iter().any(|module| path.with_extension("").starts_with(module)))
        .filter_map(|path| {
            let module = path.strip_prefix(src).ok()?.with_extension("");
            let names: Vec<String> = module
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .filter(|part| part != "mod" && part != "main" && part != "lib")
                .collect();
            let layer = names.first()?.clone();
            Some(SourceFile { layer, depth: names.len(), code: production_code(&read(&path)), path })
        })
        .collect()
}

#[test]
fn layers_use_only_those_above_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = std::fs::read_to_string(src.join("lib.rs")).expect("src/lib.rs");
    let layers = layers(&lib);
    let files = source_files(&src);
    assert!(files.len() > layers.len(), "found {} files for {} layers", files.len(), layers.len());
    let mut faults = Vec::new();
    for file in &files {
        if !layers.contains(&file.layer) {
            faults.push(format!("{}: `{}` is not in the table of lib.rs", file.path.display(), file.layer));
        }
        for other in upward(&layers, &file.layer, &file.code, file.depth) {
            faults.push(format!("{}: `{}` must not use `{other}`", file.path.display(), file.layer));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_names_the_layers_in_order() {
    let names = layers(include_str!("../src/lib.rs"));
    assert_eq!(names.first().map(String::as_str), Some("base"));
    assert_eq!(names.last().map(String::as_str), Some("cli"));
    let declared = include_str!("../src/lib.rs").lines().filter(|l| l.starts_with("pub mod ")).count();
    assert_eq!(names.len(), declared);
}

#[cfg(test)]
mod the_check_can_fail {
    use super::{layers, production_code, upward};

    fn faults(source: &str, depth: usize) -> Vec<String> {
        let layers = layers("//! | [`base`] | |\n//! | [`packet`] | |\n//! | [`flow`] | |\n//! | [`cli`] | |\n");
        upward(&layers, "packet", &production_code(source), depth)
    }

    #[test]
    fn on_an_upward_use() {
        assert_eq!(faults("use crate::flow::Flow;", 1), ["flow"]);
        assert_eq!(faults("fn f() { crate::cli::run() }", 1), ["cli"]);
        assert_eq!(faults("pub(in crate::flow) fn f() {}", 1), ["flow"]);
    }

    #[test]
    fn on_a_group() {
        assert_eq!(faults("use crate::{base::{Addr, Name}, flow::{self, Flow}, packet};", 1), ["flow"]);
        assert_eq!(faults("use crate::{\n    base,\n    cli,\n};", 1), ["cli"]);
    }

    #[test]
    fn on_a_path_through_super() {
        assert_eq!(faults("use super::flow::Flow;", 1), ["flow"]);
        assert_eq!(faults("use super::super::flow::Flow;", 2), ["flow"]);
        assert!(faults("use super::flow::Flow;", 2).is_empty(), "a neighbour inside the layer");
    }

    #[test]
    fn but_not_on_downward_use_comments_strings_and_tests() {
        assert!(faults("use crate::base::Addr; use crate::packet::Segment;", 1).is_empty());
        assert!(faults("//! see crate::flow\n/* crate::flow /* crate::cli */ crate::flow */", 1).is_empty());
        assert!(faults("const S: &str = \"\\\"crate::flow\"; const R: &str = r#\"crate::\"flow\"#;", 1).is_empty());
        assert!(faults("#[cfg(test)]\n#[allow(x)]\nmod tests { use crate::flow::Flow; }", 1).is_empty());
    }

    #[test]
    fn on_code_after_what_is_left_out() {
        assert_eq!(faults("#[cfg(test)]\nmod tests { fn f() { '{' } }\nuse crate::flow::Flow;", 1), ["flow"]);
        assert_eq!(faults("fn f<'a>(s: &'a str) -> char { '\"' }\nuse crate::flow::Flow;", 1), ["flow"]);
        assert_eq!(faults("#[cfg(test)]\nuse crate::cli::Run;\nuse crate::flow::Flow;", 1), ["flow"]);
    }
}
