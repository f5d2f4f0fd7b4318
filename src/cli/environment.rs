//! What a run ran on, as far as the machine tells without special rights.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::base::digest::file_sha256;

/// Words and what they stand for; what is not known is left out.
pub(super) fn known() -> BTreeMap<String, String> {
    let system = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    let facts = [
        ("binary_sha256", program()),
        ("kernel", Some(format!("{} {}", text(system.sysname()), text(system.release())))),
        ("machine", Some(text(system.machine()))),
        ("host", Some(text(system.nodename()))),
        ("user", user()),
        ("time_zone", time_zone()),
        ("libpcap", libpcap()),
    ];
    facts.into_iter().filter_map(|(word, value)| Some((word.to_owned(), value.filter(|v| !v.is_empty())?))).collect()
}

/// SHA-256 of the program, made once.
fn program() -> Option<String> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| file_sha256(&std::env::current_exe().ok()?).ok()).clone()
}

/// Begins with what of [`known`] takes longest, beside other work.
pub(super) fn prepare() {
    // Without a thread it is made when it is asked for.
    drop(std::thread::Builder::new().name("environment".into()).spawn(program));
}

/// Number of the user, with the name that the machine has for it.
#[cfg(unix)]
fn user() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let number = fs::metadata("/proc/self").ok()?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(match name_of(&users, number) {
        Some(name) => format!("{number} ({name})"),
        None => number.to_string(),
    })
}

#[cfg(not(unix))]
fn user() -> Option<String> {
    std::env::var("USERNAME").ok()
}

/// The name of a user in a passwd(5) file.
fn name_of(users: &str, number: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then_some(name)
    })
}

/// The time zone that the machine shows times in. Records are in UTC.
fn time_zone() -> Option<String> {
    if let Ok(zone) = std::env::var("TZ") {
        return Some(zone);
    }
    let link = fs::read_link("/etc/localtime").ok()?.to_string_lossy().into_owned();
    Some(link.split_once("zoneinfo/").map_or(link.clone(), |(_, zone)| zone.to_owned()))
}

/// The file that libpcap is loaded from, whose name ends with its version.
fn libpcap() -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find(|l| l.contains("/libpcap.so"))?.split_whitespace().nth(5)?;
    let file = Path::new(path).file_name()?.to_string_lossy();
    Some(file.trim_start_matches("libpcap.so.").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_never_empty() {
        let known = known();
        assert!(known.values().all(|v| !v.is_empty()), "{known:?}");
        assert_eq!(known.get("binary_sha256").map(String::len), Some(64));
        for word in ["kernel", "host", "user"] {
            assert!(known.contains_key(word), "{word} in {known:?}");
        }
    }

    #[test]
    fn users_have_names() {
        let users = "root:x:0:0:root:/root:/bin/sh\nsensor:x:999:999::/:/bin/false\nbroken\n";
        assert_eq!((name_of(users, 999), name_of(users, 0), name_of(users, 7)), (Some("sensor"), Some("root"), None));
    }
}
