//! `docs/STATS.md` says what every counter and share means, in their own words.

use super::stages::Stage;
use crate::coverage::Counter;
use crate::coverage::shares::{self, ShareDef};

const HEAD: &str = "\
# Statistics

`--stats FILE` writes one JSON object: `schema` (`spansight.stats/1`),
`coverage` and `timing`. The bytes of `coverage` depend on the input and the
options alone; `timing` is different on every run. A store keeps the same
counts in the table `coverage`, and the shares as the view `coverage_shares`.

| in `coverage` | holds |
|---|---|
| `meanings` | what each counter below that is not zero means |
| `totals` | the counters, summed over everything |
| `shares` | parts of a whole, from the totals: `part`, `whole`, and `share`, part by whole |
| `addresses` | distinct home addresses: `distinct`, of which `estimated`, and `networks` by IPv4 /24 and IPv6 /64 |
| `encrypted_dns` | home hosts that used encrypted DNS: `hosts`, of which `estimated`, and `resolvers` by listed name; `(port 853)` are hosts whose resolver showed no listed name |
| `sources` | for each source and interface its `shares`, and for each quarter hour `from`, `counts`, `addresses`, `encrypted_dns` |

Numbers of hosts are exact until a set has too many to keep (16,384 cells of
home addresses in a quarter hour, 1,024 of the hosts of one resolver; fewer
where all quarter hours together have too many); then they are estimated from a
sample, and `estimated` says how many of them. Hosts of several quarter hours
are not to be added, since the same host is in each; those of several resolvers
neither, where one host uses several.

Capture loss is reckoned from acknowledgements. A byte that its receiver
acknowledged and that the capture does not show within a second passed the
sensor by. The sample is one TCP flow of 64, by a fixed hash of addresses and
ports, the same in each run; followed flows are those with a contact. A flow
whose one direction was never seen is one-sided, which is another count. A jump
of more than 16 MiB is a gap without bytes, since it may be another connection.
";

const TIMING: &str = "
## Timing

Each stage of `timing` has `count`, how many durations were measured, and of
them in nanoseconds `p50_ns`, `p99_ns`, `p99_9_ns` and `max_ns`, to two
significant digits; longer than an hour counts as an hour. A stage of which
nothing was measured is left out. Times of capture are those that the kernel
gave; what a packet waited in the network card is not in them. A record that
rests on what did not come, such as a name in a flow, waits for that by intent;
it counts from the packet that brought it out, or from the first frame of that
packet's batch.

| stage | is |
|---|---|
";

/// The document.
fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Counters\n\n| counter | counts |\n|---|---|\n");
    for counter in Counter::ALL {
        text.push_str(&format!("| `{}` | {} |\n", counter.as_str(), counter.meaning()));
    }
    text.push_str("\n## Shares\n\n| share | is | part | whole |\n|---|---|---|---|\n");
    for def in shares::ALL {
        let ShareDef { word, meaning, .. } = def;
        let (part, whole) = (terms(def.part, def.less), terms(def.whole, def.whole_less));
        text.push_str(&format!("| `{word}` | {meaning} | {part} | {whole} |\n"));
    }
    text.push_str(TIMING);
    for stage in Stage::ALL {
        text.push_str(&format!("| `{}` | {} |\n", stage.as_str(), stage.meaning()));
    }
    text
}

fn terms(plus: &[Counter], minus: &[Counter]) -> String {
    let word = |c: &Counter| format!("`{}`", c.as_str());
    let plus: Vec<String> = plus.iter().map(word).collect();
    let minus: Vec<String> = minus.iter().map(|c| format!(" − {}", word(c))).collect();
    plus.join(" + ") + &minus.concat()
}

/// With `UPDATE_DOCS=1` in the environment it writes the document instead.
#[test]
fn the_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/STATS.md");
    let wanted = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "write it anew: UPDATE_DOCS=1 cargo test --lib the_document_is_up_to_date");
}

#[test]
fn meanings_fit_a_table() {
    let meanings = Counter::ALL.iter().map(|c| c.meaning()).chain(shares::ALL.iter().map(|def| def.meaning));
    for meaning in meanings {
        assert!(meaning.ends_with('.') && !meaning.contains('|') && !meaning.contains('\n'), "{meaning}");
    }
}
