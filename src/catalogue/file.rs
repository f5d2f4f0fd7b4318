//! What catalogue files say: TOML to indicators, with the place of every
//! mistake.

use super::entries::{Entries, NewIndicator};
use super::error::{CatalogueError, Position};
use super::pattern::{self, HostPattern, PathPattern, Pattern, PayloadPattern, TransportPort};
use super::text::LongText;
use super::{Category, Confidence, Use, fixed, hosts};
use crate::base::{Addr, time};
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest line for people.
const TEXT_MAX: usize = 1000;
/// Regular expressions in one catalogue that no fixed text leads to: each takes
/// kilobytes, and they are tried one after another.
const REGEX_MAX: usize = 2000;
/// Longest id.
const ID_MAX: usize = 100;

/// A catalogue file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueFile {
    /// The path as given, or the name of a built-in file.
    pub label: String,
    /// The content, without a byte order mark.
    pub text: LongText,
}

/// What files say, before it is compiled.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub entries: Entries,
    pub ech_public_names: Vec<Box<str>>,
    pub encrypted_dns: Vec<Box<str>>,
    pub fallback_resolvers: Vec<Addr>,
    /// Whether regular expressions are known to be sound: of the files that are part
    /// of the program, as a test says.
    pub trusted: bool,
    /// Regular expressions so far that have to be tried.
    expressions: usize,
    /// The line of each entry's id.
    lines: Vec<u32>,
    /// How many entries there were before each file.
    before_file: Vec<usize>,
}

type Item<'i> = Spanned<DeValue<'i>>;

/// A part of a file on its way into a draft.
pub(super) struct Reader<'a> {
    /// Names of all files so far, this one last.
    labels: &'a [String],
    text: &'a str,
    /// Lines of the file before `text`.
    lines: usize,
    /// Where the piece that spans refer to starts in `text`.
    base: usize,
    /// A place in `text`, and how many lines stand before it.
    counted: (usize, usize),
    draft: &'a mut Draft,
    errors: &'a mut CatalogueError,
}

impl Draft {
    /// How many entries of any kind there are.
    pub fn entries(&self) -> usize {
        let names = self.ech_public_names.len() + self.encrypted_dns.len();
        self.entries.len() + names + self.fallback_resolvers.len()
    }

    /// Notes that what follows is another file's.
    pub fn begin_file(&mut self) {
        self.before_file.push(self.entries.len());
    }
}

/// A message of the TOML parser, which may run over lines, as one sentence.
fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

const TABLES: [&str; 4] = ["indicator", "ech_public_name", "encrypted_dns", "fallback_resolver"];

impl<'a> Reader<'a> {
    /// A reader of a part of the last of the files, with the number of lines
    /// before it.
    pub fn new(
        labels: &'a [String],
        (text, lines): (&'a str, usize),
        draft: &'a mut Draft,
        errors: &'a mut CatalogueError,
    ) -> Self {
        Reader { labels, text, lines, base: 0, counted: (0, 0), draft, errors }
    }

    fn problem(&mut self, offset: usize, reason: impl Into<String>) {
        let label = self.labels.last().map_or("", String::as_str);
        self.errors.push_at(label, (self.text, self.lines), self.base + offset, reason);
    }

    /// Reports what is wrong with a value, if it is.
    fn check<T>(&mut self, at: &Item<'_>, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.problem(at.span().start, why)).ok()
    }

    /// What is no TOML.
    pub fn syntax(&mut self, base: usize, error: &toml::de::Error) {
        self.base = base;
        self.problem(error.span().unwrap_or_default().start, one_line(error.message()));
    }

    /// An entry of the table `name` that begins at a place of the text.
    pub fn plain_entry(&mut self, name: &str, at: usize, table: &DeTable<'_>) {
        self.base = 0;
        match name {
            "indicator" => self.indicator(at, table),
            _ if TABLES.contains(&name) => self.coverage(name, at, table),
            _ => self.unknown_table(at + "[[".len(), name),
        }
    }

    fn unknown_table(&mut self, at: usize, name: &str) {
        self.problem(at, format!("unknown table {name:?}; known are {}", TABLES.join(", ")));
    }

    /// What a piece of the file says that begins at `base`.
    pub fn document(&mut self, base: usize, document: &DeTable<'_>) {
        self.base = base;
        for (key, value) in document {
            let at = key.span().start;
            let name = key.get_ref().as_ref();
            if !TABLES.contains(&name) {
                self.unknown_table(at, name);
                continue;
            }
            // An array in brackets could not be followed by the same table in
            // the next file when both are written out as one.
            let before = self.text.get(..self.base + at).unwrap_or_default();
            let tables = value.get_ref().as_array().filter(|_| before.trim_end_matches([' ', '\t']).ends_with("[["));
            let Some(tables) = tables else {
                self.problem(at, format!("every entry is written under a line [[{name}]] of its own"));
                continue;
            };
            for item in tables.iter() {
                let Some(table) = item.get_ref().as_table() else { continue };
                match name {
                    "indicator" => self.indicator(item.span().start, table),
                    _ => self.coverage(name, item.span().start, table),
                }
            }
        }
    }

    /// An entry of one of the tables for coverage.
    fn coverage(&mut self, kind: &str, at: usize, table: &DeTable<'_>) {
        let wanted = if kind == "fallback_resolver" { "address" } else { "name" };
        let mut found = false;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "operator" => drop(self.text(value)),
                "sources" => drop(self.texts(value)),
                field if field == wanted => {
                    found = true;
                    let Some(text) = self.string(value) else { continue };
                    match kind {
                        "fallback_resolver" => {
                            let addr = text.parse::<Addr>().map_err(|_| format!("{text:?} is no address"));
                            let addr = self.check(value, addr);
                            self.draft.fallback_resolvers.extend(addr);
                        }
                        _ => {
                            let name = self.check(value, pattern::host_name(text));
                            let list = match kind {
                                "encrypted_dns" => &mut self.draft.encrypted_dns,
                                _ => &mut self.draft.ech_public_names,
                            };
                            list.extend(name);
                        }
                    }
                }
                field => {
                    let why = format!("unknown field {field:?}; known are {wanted}, operator, sources");
                    self.problem(key.span().start, why);
                }
            }
        }
        if !found {
            self.problem(at, format!("the field {wanted} is missing"));
        }
    }

    fn indicator(&mut self, at: usize, table: &DeTable<'_>) {
        let mut new = NewIndicator {
            id: String::new(),
            category: Category::Web,
            usage: Use::Off,
            confidence: Confidence::Low,
            meaning: String::new(),
            residual: false,
            browser: false,
            patterns: Vec::new(),
            sources: Vec::new(),
            ports: Vec::new(),
            examples: Vec::new(),
            note: None,
            reason: None,
            valid_from: None,
            valid_until: None,
        };
        let mut id_at = at;
        let before = self.errors.count();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "id" => {
                    id_at = value.span().start;
                    new.id = self.id(value).unwrap_or_default();
                }
                "category" => new.category = self.word(value, "category", CATEGORIES).unwrap_or(new.category),
                "use" => new.usage = self.word(value, "use", "alone, support, off").unwrap_or(new.usage),
                "confidence" => {
                    new.confidence = self.word(value, "confidence", "high, medium, low").unwrap_or(new.confidence);
                }
                "meaning" => new.meaning = self.text(value).unwrap_or_default(),
                "residual" => new.residual = self.boolean(value),
                "browser" => new.browser = self.boolean(value),
                "sources" => new.sources = self.texts(value),
                "examples" => new.examples = self.texts(value),
                "ports" => new.ports = self.port_texts(value),
                "note" => new.note = self.text(value),
                "reason" => new.reason = self.text(value),
                "valid_from" => new.valid_from = self.day(value),
                "valid_until" => new.valid_until = self.day(value),
                kind @ ("exact" | "suffix" | "host" | "path" | "user_agent" | "address" | "lan_port" | "payload") => {
                    self.patterns(kind, value, &mut new.patterns);
                }
                field => self.problem(key.span().start, format!("unknown field {field:?}; known are {FIELDS}")),
            }
        }
        for field in ["id", "category", "use", "confidence", "meaning"] {
            if !table.contains_key(field) {
                self.problem(at, format!("the field {field} is missing"));
            }
        }
        if self.errors.count() == before {
            self.complete(at, &new);
        }
        if new.id.is_empty() || !self.claim_id(&new.id, id_at) {
            return;
        }
        if self.draft.entries.push(&new).is_none() {
            self.problem(at, "there are more entries than a catalogue has room for");
        }
    }

    /// What fields of an indicator say together.
    fn complete(&mut self, at: usize, new: &NewIndicator) {
        if new.patterns.is_empty() {
            let kinds = "exact, suffix, host, path, user_agent, address, lan_port, payload";
            self.problem(at, format!("indicator {:?} has no pattern; one of {kinds} is needed", new.id));
        }
        if new.residual && !new.patterns.iter().all(|p| matches!(p, Pattern::Suffix(_))) {
            self.problem(at, format!("indicator {:?} is residual, and so may have suffixes only", new.id));
        }
        if new.residual && new.category.is_alarm() {
            self.problem(at, format!("indicator {:?} is residual, which no {} can be", new.id, new.category));
        }
        if matches!((new.valid_from, new.valid_until), (Some(from), Some(until)) if from > until) {
            self.problem(at, format!("indicator {:?} ends to be valid before it starts", new.id));
        }
    }

    /// Notes the line of a new id. False if it is not new.
    fn claim_id(&mut self, id: &str, at: usize) -> bool {
        let Some(first) = self.draft.entries.find(id) else {
            let line = self.line(self.base + at);
            self.draft.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
            return true;
        };
        if self.errors.is_full() {
            self.problem(at, "");
            return false;
        }
        let file = self.draft.before_file.partition_point(|before| *before <= first as usize).saturating_sub(1);
        let label = self.labels.get(file).map_or("", String::as_str);
        let line = self.draft.lines.get(first as usize).copied().unwrap_or_default();
        self.problem(at, format!("the id {id:?} is already used in {label}, line {line}"));
        false
    }

    /// The line of a place in the text.
    fn line(&mut self, at: usize) -> usize {
        let (before, lines) = self.counted;
        let since = self.text.as_bytes().get(before..at);
        self.counted = match since {
            Some(since) => (at, lines + memchr::memchr_iter(b'\n', since).count()),
            // Not in the order of the text.
            None => (at, Position::of(self.text, at).line - 1),
        };
        self.lines + self.counted.1 + 1
    }

    /// Adds the patterns of one kind.
    fn patterns(&mut self, kind: &str, value: &Item<'_>, out: &mut Vec<Pattern>) {
        for item in list(value) {
            match kind {
                "host" => self.host(item, out),
                "path" => out.extend(self.path(item).map(|p| Pattern::Path(Box::new(p)))),
                "payload" => out.extend(self.payload(item).map(|p| Pattern::Payload(Box::new(p)))),
                _ => {
                    let Some(text) = self.string(item) else { continue };
                    let result = match kind {
                        "exact" => pattern::host_name(text).map(Pattern::Exact),
                        "suffix" => pattern::host_name(text).map(Pattern::Suffix),
                        "address" => pattern::address(text).map(|p| Pattern::Address(Box::new(p))),
                        "lan_port" => text.parse().map(Pattern::LanPort),
                        _ => {
                            let filed = fixed::sequence(text, None).is_some();
                            if !self.may_have(item, filed) {
                                continue;
                            }
                            // What needs fixed text fits no empty one.
                            let sound = if filed || self.draft.trusted { Ok(()) } else { regex(text) };
                            sound.map(|()| Pattern::UserAgent(text.into()))
                        }
                    };
                    out.extend(self.check(item, result));
                }
            }
        }
    }

    /// Counts a regular expression, unless it is `filed` under fixed text. Too
    /// many are reported once.
    fn may_have(&mut self, item: &Item<'_>, filed: bool) -> bool {
        if filed {
            return true;
        }
        self.draft.expressions += 1;
        if self.draft.expressions == REGEX_MAX + 1 {
            let why = format!(
                "more than {REGEX_MAX} regular expressions that no fixed text leads to; names are better listed as \
                 exact or suffix"
            );
            self.problem(item.span().start, why);
        }
        self.draft.expressions <= REGEX_MAX
    }

    fn host(&mut self, item: &Item<'_>, out: &mut Vec<Pattern>) {
        let Some([Some(labels), Some(under)]) = self.fields(item, ["labels", "under"], 2) else { return };
        let Some(text) = self.string(labels) else { return };
        let filed = hosts::sequence(text).is_some();
        if !self.may_have(labels, filed) {
            return;
        }
        if !filed && !self.draft.trusted && self.check(labels, pattern::compile_labels(text)).is_none() {
            return;
        }
        for (number, item) in list(under).iter().enumerate() {
            if number > 0 && !self.may_have(item, filed) {
                return;
            }
            let Some(name) = self.string(item) else { continue };
            let name = self.check(item, pattern::host_name(name));
            out.extend(name.map(|under| Pattern::Host(Box::new(HostPattern { labels: text.into(), under }))));
        }
    }

    fn path(&mut self, item: &Item<'_>) -> Option<PathPattern> {
        let [at, contains] = self.fields(item, ["regex", "contains"], 1)?;
        let text = self.string(at?)?;
        let contains = match contains {
            Some(value) => Some(self.string(value)?),
            None => None,
        };
        let filed = fixed::sequence(text, contains);
        if !self.may_have(item, filed.is_some()) {
            return None;
        }
        // What needs fixed text fits no empty one.
        if !self.draft.trusted && filed.is_none_or(|(sequence, _)| sequence.literal().is_empty()) {
            self.check(at?, regex(text))?;
        }
        Some(PathPattern { regex: text.into(), contains: contains.map(Into::into) })
    }

    fn payload(&mut self, item: &Item<'_>) -> Option<PayloadPattern> {
        let [on, starts, equals] = self.fields(item, ["on", "starts", "equals"], 1)?;
        let mut ports = Vec::new();
        for port in list(on?) {
            let text = self.string(port)?;
            ports.push(self.check(port, text.parse::<TransportPort>())?);
        }
        let mut bytes = [Vec::new(), Vec::new()];
        for (field, out) in [starts, equals].into_iter().zip(&mut bytes) {
            for value in field.map(list).unwrap_or_default() {
                let text = self.string(value)?;
                let bytes = self.check(value, pattern::parse_hex(text))?;
                if pattern::is_tls_record(&bytes) {
                    self.problem(value.span().start, format!("{text} starts a TLS record, which no payload matches"));
                }
                out.push(bytes);
            }
        }
        let [starts, equals] = bytes;
        if ports.is_empty() || (starts.is_empty() && equals.is_empty()) {
            self.problem(item.span().start, "a payload needs ports in `on`, and bytes in `starts` or `equals`");
            return None;
        }
        Some(PayloadPattern { on: ports, starts, equals })
    }

    /// The fields of an inline table, of which the first `required` must be
    /// there.
    fn fields<'v, 'i, const N: usize>(
        &mut self,
        item: &'v Item<'i>,
        names: [&str; N],
        required: usize,
    ) -> Option<[Option<&'v Item<'i>>; N]> {
        let Some(table) = item.get_ref().as_table() else {
            let fields = names.map(|n| format!("{n} = ...")).join(", ");
            self.problem(item.span().start, format!("a table {{ {fields} }} is wanted"));
            return None;
        };
        let mut out = [None; N];
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match names.iter().zip(&mut out).find(|(n, _)| **n == name) {
                Some((_, slot)) => *slot = Some(value),
                None => {
                    let why = format!("unknown field {name:?}; known are {}", names.join(", "));
                    self.problem(key.span().start, why);
                    return None;
                }
            }
        }
        for (name, value) in names.iter().zip(out).take(required) {
            if value.is_none() {
                self.problem(item.span().start, format!("the field {name} is missing"));
                return None;
            }
        }
        Some(out)
    }

    fn string<'v>(&mut self, value: &'v Item<'_>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let why = format!("a string is wanted, not {}", article(value.get_ref().type_str()));
            self.problem(value.span().start, why);
        }
        text
    }

    /// One line for people.
    fn text(&mut self, value: &Item<'_>) -> Option<String> {
        let text = self.string(value)?;
        let result = if text.trim().is_empty() {
            Err("the text is empty".to_owned())
        } else if text.chars().any(char::is_control) {
            Err("the text has control characters; one line is wanted".to_owned())
        } else if text.len() > TEXT_MAX {
            Err(format!("the text has {} bytes, and {TEXT_MAX} are allowed", text.len()))
        } else {
            Ok(text.to_owned())
        };
        self.check(value, result)
    }

    fn texts(&mut self, value: &Item<'_>) -> Vec<String> {
        list(value).iter().filter_map(|v| self.text(v)).collect()
    }

    fn id(&mut self, value: &Item<'_>) -> Option<String> {
        let text = self.string(value)?;
        let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let result = if text.len() <= ID_MAX && text.split('-').all(word) {
            Ok(text.to_owned())
        } else {
            Err(format!("an id is made of lower-case letters and digits with single hyphens between, not {text:?}"))
        };
        self.check(value, result)
    }

    /// A word that names a variant of an enumeration.
    fn word<T: for<'d> serde::Deserialize<'d>>(&mut self, value: &Item<'_>, field: &str, known: &str) -> Option<T> {
        let text = self.string(value)?;
        let read = T::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(text));
        self.check(value, read.map_err(|_| format!("unknown {field} {text:?}; known are {known}")))
    }

    fn boolean(&mut self, value: &Item<'_>) -> bool {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            self.problem(value.span().start, "true or false is wanted");
        }
        read.unwrap_or_default()
    }

    fn day(&mut self, value: &Item<'_>) -> Option<i64> {
        // TOML has dates of its own; both forms are natural here.
        let text = match value.get_ref().as_datetime() {
            Some(date) => date.to_string(),
            None => self.string(value)?.to_owned(),
        };
        self.check(value, time::parse_day(&text).ok_or_else(|| format!("a day is written YYYY-MM-DD, not {text:?}")))
    }

    fn port_texts(&mut self, value: &Item<'_>) -> Vec<String> {
        let mut out = Vec::new();
        for item in list(value) {
            let Some(text) = self.string(item) else { continue };
            let parts = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
            let result = parts.0.parse::<TransportPort>().and_then(|first| match parts.1.map(str::parse::<u16>) {
                None => Ok(()),
                Some(Ok(last)) if last > first.port => Ok(()),
                Some(_) => Err(format!("a range of ports is written tcp/N-M, not {text:?}")),
            });
            out.extend(self.check(item, result).map(|()| text.to_owned()));
        }
        out
    }
}

const FIELDS: &str = "id, category, use, confidence, meaning, exact, suffix, host, path, user_agent, address, \
     lan_port, payload, residual, browser, sources, examples, ports, note, reason, valid_from, valid_until";

const CATEGORIES: &str =
    "update, reputation, activation, service, web, lan-management, oem-update, netblock, sinkhole, lookalike";

/// A list, or a single value as a list of one.
fn list<'v, 'i>(value: &'v Item<'i>) -> &'v [Item<'i>] {
    match value.get_ref().as_array() {
        Some(array) => array,
        None => std::slice::from_ref(value),
    }
}

/// Whether a regular expression on a whole field is usable.
fn regex(text: &str) -> Result<(), String> {
    if pattern::compile(text)?.is_match(b"") {
        return Err(format!("the regular expression {text:?} matches an empty text, and so may match everything"));
    }
    Ok(())
}

fn article(kind: &str) -> String {
    let an = kind.starts_with(['a', 'i', 'o']);
    format!("{} {kind}", if an { "an" } else { "a" })
}
