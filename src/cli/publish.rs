//! `spansight publish`: a window of a store for others.

use super::args::PublishArgs;
use super::exit::{Exit, Stop, say};
use super::measuring::{Measuring, check_length};
use super::verify::key;
use super::{inputs, places};
use crate::base::time::format_day;
use crate::measure::{Asked, Days, Step};
use crate::publish::{Form, PublishError, Request, Take, write};
use crate::report::counted;
use crate::sighting::Pseudonyms;
use crate::store::archive::Archive;
use crate::store::custody::SealKey;
use crate::store::{Filter, Store};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Least hosts of a group that is shown, unless said otherwise.
const MIN_GROUP: u64 = 5;

impl From<PublishError> for Stop {
    fn from(e: PublishError) -> Self {
        match e {
            PublishError::Exists(_) | PublishError::Asked(_) | PublishError::Compare(_) => Stop::usage(e),
            e => Stop::failed(e),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &PublishArgs) -> Result<Exit, Stop> {
    let sign = args.sign.as_deref().map(|file| key(file, SealKey::read)).transpose()?;
    places::check(&[("--output", Some(&args.output))], [])?;
    let measuring = Measuring::new(&args.count)?;
    let mut asked = measuring.asked();
    if args.groups_only && args.count.by.is_empty() {
        asked.dimensions.truncate(1);
    }
    let pseudonyms = pseudonyms(args, &measuring, &asked)?;
    if let Some(file) = args.sign.as_deref().filter(|_| !args.quiet) {
        inputs::warn_if_open("--sign", file);
    }
    let window = args.window.days(measuring.watched.last);
    let baseline = args.baseline.map(|w| w.days(measuring.watched.last));
    check_length(&[Some(window), baseline].into_iter().flatten().collect::<Vec<_>>())?;
    let form = match &pseudonyms {
        Some(p) => Form::Pseudonymised(p),
        None if args.groups_only => Form::Groups(args.min_group.unwrap_or(MIN_GROUP)),
        None => Form::Full,
    };
    let (step, key, show_catalogue) = (Step::from(args.step), sign.as_ref(), args.show_catalogue);
    let request = Request { asked: &asked, form, window, step, baseline, key, show_catalogue };
    let written = write(&args.output, &request, &mut |days, take| records(&args.count.store, days, take))?;
    if written.differs {
        say("warning: counted from the store, some figures differ from those of the published records, which are \
             what was published; compare trend.json with the command trend");
    }
    if written.catalogues_withheld > 0 && !args.quiet {
        let all = counted(written.catalogues_withheld, "catalogue of a run", "catalogues of runs");
        say(format_args!("note: {all} left out, not being the built-in one; --show-catalogue publishes them"));
    }
    if !args.quiet {
        let (records, to) = (counted(written.records, "record", "records"), args.output.display());
        let signed = if sign.is_some() { "signed" } else { "not signed" };
        let kept = "Keep the hash of the manifest elsewhere, or give it to readers another way";
        let manifest = &written.manifest;
        drop(writeln!(io::stderr(), "{to}: {records}, {signed}; manifest.json: sha256 {manifest}. {kept}."));
    }
    Ok(Exit::Done)
}

/// What the catalogue lists that is applied, and so published, stays.
fn pseudonyms(args: &PublishArgs, measuring: &Measuring, asked: &Asked<'_>) -> Result<Option<Pseudonyms>, Stop> {
    let Some(path) = &args.pseudonymise else { return Ok(None) };
    let key = inputs::pseudonym_key(path, args.quiet)?;
    Ok(Some(Pseudonyms::for_publication(&key, &asked.home, Arc::clone(&measuring.catalogue))))
}

/// Hands over the records of a store.
fn records(store: &Path, days: &[Days], take: &mut Take<'_>) -> Result<(), PublishError> {
    let filter = |first: i32, last: i32| Filter {
        since: Some(format_day(first.into())),
        until: Some(format_day(last.into())),
        support: true,
        ..Filter::default()
    };
    if Archive::is_meant(store) {
        // It is read as a whole whatever is wanted of it.
        let (first, last) = (days.first().map_or(0, |d| d.first), days.last().map_or(0, |d| d.last));
        return Archive::open(store)?.contributions(&filter(first, last), take);
    }
    let store = Store::open_read_only(store)?;
    // Of windows far apart nothing between them is read.
    days.iter()
        .try_for_each(|days| store.contributions(filter(days.first, days.last))?.try_for_each(|stored| take(stored?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::parse_day;
    use crate::sighting::testing::record;

    #[test]
    fn nothing_between_two_windows_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut store = Store::open(&path).unwrap();
        let mut writing = store.begin().unwrap();
        for day in 1..=9 {
            let mut r = record();
            r.period = format!("2026-03-{day:02}");
            r.id = format!("{day:032x}");
            writing.put_record(&r, false).unwrap();
        }
        writing.commit().unwrap();
        drop(store);
        let day = |n: u32| i32::try_from(parse_day(&format!("2026-03-{n:02}")).unwrap()).unwrap();
        let mut read: Vec<String> = Vec::new();
        let windows = [Days::new(day(1), day(2)), Days::new(day(8), day(8))];
        records(&path, &windows, &mut |stored| {
            read.push(stored.record.period);
            Ok(())
        })
        .unwrap();
        assert_eq!(read, ["2026-03-01", "2026-03-02", "2026-03-08"]);
    }
}
