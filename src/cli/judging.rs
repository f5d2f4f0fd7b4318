//! What the commands that judge hosts share: exceptions, inventory, findings.

use super::args::{JudgingArgs, KnowledgeArgs};
use super::exit::Stop;
use super::fail_on::{FailOn, Findings};
use crate::base::Timestamp;
use crate::host::{AcceptList, Facts, HostView, Inventory};
use crate::report::hosts::Listed;
use std::fmt::Display;
use std::path::Path;

/// What the user's files say of hosts.
#[derive(Default)]
pub(super) struct Knowledge {
    /// Exceptions.
    pub(super) accept: AcceptList,
    /// The user's list of devices.
    pub(super) inventory: Option<Inventory>,
}

impl Knowledge {
    /// Reads the files.
    pub(super) fn read(args: &KnowledgeArgs) -> Result<Self, Stop> {
        let accept = args.accept.as_deref().map(|path| read("--accept", path, AcceptList::read)).transpose()?;
        let inventory = args.inventory.as_deref().map(|path| read("--inventory", path, Inventory::read)).transpose()?;
        Ok(Knowledge { accept: accept.unwrap_or_default(), inventory })
    }
}

/// Checked options.
pub(super) struct Judging {
    /// Exceptions.
    pub(super) accept: AcceptList,
    /// The user's list of devices.
    pub(super) inventory: Option<Inventory>,
    fail_on: Vec<FailOn>,
    /// The time of the report: exceptions end and days are counted by it.
    pub(super) as_of: Timestamp,
}

impl Judging {
    /// Reads the files. `until` is the end of the window, if there is one.
    pub(super) fn new(args: &JudgingArgs, until: Option<Timestamp>) -> Result<Self, Stop> {
        let Knowledge { accept, inventory } = Knowledge::read(&args.knowledge)?;
        Ok(Judging {
            accept,
            inventory,
            fail_on: args.fail_on.clone(),
            // The window ends before that time.
            as_of: until.map_or_else(Timestamp::now, |until| until.plus(-1)),
        })
    }

    /// Hosts with what the exceptions say of them.
    pub(super) fn list<'a>(&'a self, views: impl IntoIterator<Item = &'a HostView>) -> Vec<Listed<'a>> {
        let day = self.as_of.day();
        let list = |view| Listed { view, standing: self.accept.standing(view, day), as_of: self.as_of };
        views.into_iter().map(list).collect()
    }

    /// What `--fail-on` asks for, of what hosts are judged by.
    pub(super) fn findings(&self, facts: &Facts) -> Findings {
        Findings::new(&self.fail_on, facts)
    }

    /// Whether verdicts matter to how the run ends.
    pub(super) fn decides(&self) -> bool {
        !self.fail_on.is_empty()
    }
}

/// Reads a file of the user's; anything wrong with it is wrong usage.
fn read<T, E: Display>(option: &str, path: &Path, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, Stop> {
    let wrong = |why: &dyn Display| Stop::usage(format_args!("{option} {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|e| wrong(&e))?;
    let text = String::from_utf8(text).map_err(|_| wrong(&"it is no UTF-8 text"))?;
    parse(&text).map_err(|e| wrong(&e))
}
