//! What the commands that judge hosts share: exceptions, inventory, findings.

use super::args::{JudgingArgs, KnowledgeArgs};
use super::exit::{Exit, Stop, say};
use super::fail_on::{FailOn, Findings};
use crate::base::Timestamp;
use crate::host::{Accept, AcceptList, Facts, HostView, Inventory, Standing, Verdict, Who};
use crate::report::counted;
use crate::report::hosts::Listed;
use crate::report::summary::Summary;
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
        let accept = accept.unwrap_or_default();
        let accept = match &inventory {
            Some(inventory) => accept.with_inventory(inventory),
            None => {
                if let Some(named) = accept.all().iter().find(|a| matches!(a.who, Who::Name(_))) {
                    say(format_args!(
                        "--accept: warning: {} is a name, and only --inventory gives names that are accepted, since \
                         hosts can call themselves anything: give it, or the host's MAC",
                        named.who
                    ));
                }
                accept
            }
        };
        Ok(Knowledge { accept, inventory })
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
        let list = |view| Listed { view, standing: self.standing(view), as_of: self.as_of };
        views.into_iter().map(list).collect()
    }

    /// What the exceptions say of a host.
    pub(super) fn standing(&self, view: &HostView) -> Standing<'_> {
        self.accept.standing(view, self.as_of.day())
    }

    /// What `--fail-on` asks for, of what hosts are judged by.
    pub(super) fn findings(&self, facts: &Facts) -> Findings {
        Findings::new(&self.fail_on, facts)
    }

    /// How a run ends by `--fail-on`: with findings, or, where there are none,
    /// not as done if it saw too little to say that there are none. That is
    /// said here, since closing lines can be left out and the code cannot.
    pub(super) fn conclude(&self, found: bool, summary: &Summary) -> Exit {
        if found {
            return Exit::Findings;
        }
        let by_lookups = self.fail_on.iter().all(|word| *word == FailOn::Verdict(Verdict::LookedUp));
        let doubts = if by_lookups { summary.lookups_doubted() } else { summary.doubted() };
        let Some(doubts) = doubts.filter(|_| self.decides()) else { return Exit::Done };
        say(format_args!("--fail-on found nothing, but whether there was something cannot be said: {doubts}"));
        Exit::Partial
    }

    /// Whether verdicts matter to how the run ends.
    pub(super) fn decides(&self) -> bool {
        !self.fail_on.is_empty()
    }
}

/// Exceptions that no host was found for.
pub(super) struct Unmet<'j>(&'j AcceptList, Vec<&'j Accept>);

impl<'j> Unmet<'j> {
    /// All of them.
    pub(super) fn new(judging: &'j Judging) -> Self {
        Unmet(&judging.accept, judging.accept.all().iter().collect())
    }

    /// Takes out those for a host.
    pub(super) fn meet(&mut self, view: &HostView) {
        self.1.retain(|accept| !self.0.is_for(accept, view));
    }

    /// Takes out what others took out.
    pub(super) fn merge(&mut self, other: &Unmet<'_>) {
        self.1.retain(|accept| other.1.iter().any(|left| std::ptr::eq(*left, *accept)));
    }

    /// A sentence about those that are left; `hosts` says of what they fit
    /// none.
    pub(super) fn sentence(&self, hosts: &str) -> Option<String> {
        const SHOWN: usize = 10;
        let mut who: Vec<String> = self.1.iter().take(SHOWN).map(|a| a.whom()).collect();
        let more = self.1.len().saturating_sub(SHOWN);
        if more > 0 {
            who.push(format!("{more} more"));
        }
        let entries = counted(self.1.len() as u64, "[[accept]] entry fits", "[[accept]] entries fit");
        (!self.1.is_empty()).then(|| format!("--accept: {entries} no host of {hosts}: {}", who.join(", ")))
    }
}

/// Reads a file of the user's; anything wrong with it is wrong usage.
fn read<T, E: Display>(option: &str, path: &Path, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, Stop> {
    let wrong = |why: &dyn Display| Stop::usage(format_args!("{option} {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|e| wrong(&e))?;
    let text = String::from_utf8(text).map_err(|_| wrong(&"it is no UTF-8 text"))?;
    parse(&text).map_err(|e| wrong(&e))
}
