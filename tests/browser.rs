//! The page that `report` writes, in a browser. Needs Chromium; scripts/test
//! runs these as root, and scripts/report-screenshots keeps their pictures.
#![cfg(target_os = "linux")]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "support/office.rs"]
mod office;

use chromium::Browser;
use office::Office;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Names that would do something if they were more than text.
fn hostile(n: u32) -> String {
    const NAMES: [&str; 5] = [
        "<script>document.title='taken'</script>",
        "<img src=http://canary.test/a.png onerror=\"document.title='taken'\">",
        "</style><svg onload=document.title='taken'>",
        "\"><a href=javascript:alert(1)>pc\u{202e}exe.gpj",
        "<link rel=stylesheet href=//canary.test/b.css>",
    ];
    NAMES.get((n / 5) as usize % 7).map_or_else(|| format!("pc-{n}"), |name| (*name).to_owned())
}

/// A quarter of an office whose sensors were down for a while, with everything
/// that a report can have. Returns the folder and the page.
fn page(hosts: u32) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let office = Office {
        hosts,
        days: 90,
        sensors: vec!["hall".into(), "annex".into()],
        down: 62..70,
        other_catalogue: Some(75),
        name: hostile,
        falls: true,
        ..Office::default()
    };
    office.store(&dir.path().join("office.db"));
    let mut groups = String::from("prefix,org,site\n");
    for (n, org) in ["Town hall", "Library", "School <b>North</b>", "School South", "Waterworks"].iter().enumerate() {
        groups += &format!("10.20.0.{}/27,{org},site-{}\n", n * 32, n % 2);
    }
    fs::write(dir.path().join("groups.csv"), groups).unwrap();
    fs::write(dir.path().join("devices.csv"), "address,name,owner,place\n10.20.0.5,Reception,j.doe,2nd floor\n")
        .unwrap();
    let exception = "[[accept]]\nhost = \"10.20.0.10\"\nverdict = \"active\"\nreason = \"test bench\"\nowner = \"lab\"\n\
                     expires = 2100-01-01\n";
    fs::write(dir.path().join("accept.toml"), exception).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_spansight"))
        .args(["report", "--store", "office.db", "--html", "report.html", "--groups", "groups.csv", "--by", "org,site"])
        .args(["--window", "2026-01..2026-03", "--baseline", "2026-01", "--current", "2026-03", "--quiet"])
        .args(["--inventory", "devices.csv", "--accept", "accept.toml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let page = dir.path().join("report.html");
    (dir, page)
}

/// Height of a picture.
const PICTURE: u32 = 1_600;

/// Where pictures are kept for people, if anywhere.
fn pictures(dir: &Path) -> PathBuf {
    std::env::var_os("SPANSIGHT_SCREENSHOTS").map_or_else(|| dir.to_owned(), PathBuf::from)
}

/// Messages of the console, errors and violations of the page's policy among
/// them, and requests other than for the page itself.
fn noise(events: &[Value], url: &str) -> Vec<String> {
    let is_noise = |e: &&Value| match e["method"].as_str().unwrap_or_default() {
        "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => true,
        "Network.requestWillBeSent" => {
            let asked = e["params"]["request"]["url"].as_str().unwrap_or_default();
            asked != url && asked != "data:,"
        }
        _ => false,
    };
    events.iter().filter(is_noise).map(ToString::to_string).collect()
}

/// The first pixel of a PNG with 8 bits a channel: no filter changes it.
fn first_pixel(png: &Path) -> [u8; 3] {
    use std::io::Read as _;
    let bytes = fs::read(png).unwrap();
    let at = bytes.windows(4).position(|w| w == b"IDAT").unwrap();
    let mut row = [0; 4];
    flate2::read::ZlibDecoder::new(&bytes[at + 4..]).read_exact(&mut row).unwrap();
    [row[1], row[2], row[3]]
}

#[test]
#[ignore = "needs chromium"]
fn a_report_says_and_asks_nothing_by_itself() {
    let (dir, page) = page(200);
    let url = format!("file://{}", page.display());
    let out = pictures(dir.path());
    let mut browser = Browser::new();
    for (name, dark, width) in [("light", false, 1280), ("dark", true, 1280), ("narrow", false, 420)] {
        browser.prefer(dark, false, true);
        assert_eq!(noise(&browser.open(&url, width), &url), Vec::<String>::new(), "{name}");
        assert!(browser.value("document.title").as_str().unwrap().starts_with("Hosts that contact"));
        let wide = browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= width.into(), "{name}: nothing makes the page wider than the window, {wide}");
        let high = browser.value("document.documentElement.scrollHeight").as_u64().unwrap();
        assert!(high > 3_000, "{name}: {high}");
        let high = u32::try_from(high).unwrap().min(PICTURE * 9);
        for (number, from) in (0..high).step_by(PICTURE as usize).enumerate() {
            let png = out.join(format!("report-{name}-{}.png", number + 1));
            browser.screenshot(&png, width, from, high.min(from + PICTURE));
        }
        let [red, green, blue] = first_pixel(&out.join(format!("report-{name}-1.png")));
        let bright = u32::from(red) + u32::from(green) + u32::from(blue);
        assert!(if dark { bright < 150 } else { bright > 700 }, "{name}: {red} {green} {blue}");
    }
    browser.prefer(false, true, true);
    browser.open(&url, 1000);
    browser.print(&out.join("report.pdf"));
    assert!(fs::metadata(out.join("report.pdf")).unwrap().len() > 20_000);
    // The check itself: a page that does make noise is heard.
    let loud = dir.path().join("loud.html");
    fs::write(&loud, "<img src='http://canary.test/a.png'><script>console.log('loud')</script>").unwrap();
    let url = format!("file://{}", loud.display());
    let heard = noise(&browser.open(&url, 800), &url).join("\n");
    assert!(heard.contains("canary.test") && heard.contains("consoleAPICalled"), "{heard}");
}

#[test]
#[ignore = "needs chromium"]
fn rows_are_sorted_and_found_where_scripts_run() {
    let (_dir, page) = page(120);
    let url = format!("file://{}", page.display());
    let mut browser = Browser::new();
    browser.prefer(false, false, true);
    browser.open(&url, 1280);
    let rows = "[...document.querySelectorAll('#act-table tbody tr')].filter(r => !r.hidden)";
    let hosts = |browser: &mut Browser| -> Vec<String> {
        let list = browser.value(&format!("{rows}.map(r => r.cells[0].querySelector('b').textContent)"));
        list.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let all = hosts(&mut browser);
    assert!(all.len() > 10);
    let click = "document.querySelector('#act-table th button').click()";
    browser.value(click);
    let sorted = hosts(&mut browser);
    let key = |ip: &String| ip.split('.').map(|n| n.parse::<u8>().unwrap()).collect::<Vec<_>>();
    assert!(sorted.is_sorted_by_key(key), "{sorted:?}");
    assert_eq!(browser.value("document.querySelector('#act-table th').getAttribute('aria-sort')"), "ascending");
    browser.value(click);
    let reversed: Vec<String> = hosts(&mut browser).into_iter().rev().collect();
    assert_eq!(reversed, sorted);
    // Looking for a verdict and a word of a sentence, as typed.
    browser.value(
        "(() => { const i = document.querySelector('#hosts .find input'); i.focus(); i.value = 'ATTEMPTING through'; \
         i.dispatchEvent(new Event('input')) })()",
    );
    let found = hosts(&mut browser);
    assert!(!found.is_empty() && found.len() < all.len(), "{found:?}");
    let verdicts = browser.value(&format!("{rows}.every(r => r.cells[1].textContent.includes('attempting'))"));
    assert_eq!(verdicts, true);
    let said = browser.value("document.querySelector('#hosts .find [role=status]').textContent");
    assert_eq!(said, format!("{} of {} rows", found.len(), all.len()));
    // All that can be used can be reached with the keyboard.
    let tabs = browser
        .value("[...document.querySelectorAll('button, input, summary, a, .scroll')].every(e => e.tabIndex >= 0)");
    assert_eq!((tabs, noise(&browser.events(), &url)), (true.into(), Vec::new()));
}

#[test]
#[ignore = "needs chromium"]
fn tables_fit_a_window_a_telephone_and_paper() {
    let (_dir, page) = page(200);
    let url = format!("file://{}", page.display());
    let mut browser = Browser::new();
    browser.prefer(false, false, true);
    for width in [1100, 1440] {
        browser.open(&url, width);
        browser.value("document.querySelectorAll('details').forEach(d => d.open = true)");
        let wide = browser.value(
            "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth)\
             .map(s => s.querySelector('table').id + ' ' + s.scrollWidth)",
        );
        assert_eq!(wide, serde_json::json!([]), "{width}");
    }
    // Who, what and why can be read without moving anything.
    browser.open(&url, 400);
    let outside = browser.value(
        "[...document.querySelectorAll('#act-table tbody :is(th, td)')].map(c => c.getBoundingClientRect())\
         .filter(r => r.left < 0 || r.right > 400 || r.width < 200 || r.height < 5).length",
    );
    assert_eq!(outside, 0);
    // Letter, less its margins: nothing is scaled down, what is folded up is left out, and tables end.
    browser.prefer(false, true, true);
    browser.open(&url, 710);
    assert!(browser.value("document.documentElement.scrollWidth").as_u64().unwrap() <= 710);
    let folded = browser.value("[...document.querySelectorAll('details')].filter(d => d.offsetHeight > 0).length");
    assert_eq!(folded, 0);
    let printed = "[...document.querySelectorAll('#act-table tbody tr')].filter(r => r.offsetHeight > 0).length";
    browser.value(
        "(() => { const b = document.querySelector('#act-table').tBodies[0]; \
         while (b.rows.length < 300) b.append(b.rows[0].cloneNode(true)) })()",
    );
    assert_eq!(browser.value(printed), 200);
    // Of rows that were looked for, the first 200 of those that are left.
    browser.value("[...document.querySelectorAll('#act-table tbody tr')].slice(0, 150).forEach(r => r.hidden = true)");
    assert_eq!(browser.value(printed), 150);
}

#[test]
#[ignore = "needs chromium"]
fn without_scripts_a_report_is_whole() {
    let (_dir, page) = page(120);
    let url = format!("file://{}", page.display());
    let mut browser = Browser::new();
    let text = "[...document.querySelectorAll('main, header')].map(e => e.innerText).join('\\n')";
    browser.prefer(false, false, true);
    browser.open(&url, 1280);
    let count = "document.querySelectorAll('tbody tr').length";
    let (with, rows) = (browser.value(text), browser.value(count));
    browser.prefer(false, false, false);
    assert_eq!(noise(&browser.open(&url, 1280), &url), Vec::<String>::new());
    assert_eq!(browser.value("document.querySelectorAll('button, input').length"), 0, "nothing that does nothing");
    let without = browser.value(text);
    assert_eq!(browser.value(count), rows);
    let words =
        |v: &Value| v.as_str().unwrap().replace("Show rows with", "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(&without), words(&with));
}
