//! The lead: decodes the frames of each batch, takes the segments of its own
//! shards at once, and deals the others to the other workers.

use super::dispatch::{Dispatcher, Hands, Route, Tally};
use super::pool::{Recycler, Spares};
use super::replay::Failure;
use super::work::{Deal, Form, Framed, Item, Said, Work};
use super::worker::{Harvest, Job, Report, Tick, Worker};
use crate::base::Timestamp;
use crate::base::time::SECOND;
use crate::capture::CaptureError;
use crate::coverage::{Key, Ledger};
use crate::flow::Claim;
use crate::packet::plain::Shell;
use crate::packet::{EncapId, Packet};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::time::Instant;

/// A capture that begins so much before the last frame of the one before is
/// another view of the network, not the next file of the same capture: its
/// flows are read from their beginning.
const ROTATION_OVERLAP: i64 = SECOND;

/// What the reader tells the lead.
pub(super) enum Order {
    /// Frames to take.
    Batch(Arc<Work>),
    /// The source is read.
    SourceEnds,
    /// Live, about once a second.
    Tick(Tick),
}

/// What the lead knows in the end.
pub(super) struct LeadEnd {
    /// What the sources came to, in order.
    pub(super) tallies: Vec<Tally>,
    pub(super) ledger: Ledger,
    pub(super) failure: Option<Failure>,
}

/// The first worker, and the packet stage before all of them.
pub(super) struct Lead<H: Harvest> {
    own: Worker<H>,
    dispatcher: Dispatcher,
    /// To the other workers.
    jobs: Vec<Sender<Job>>,
    spares: Spares,
    tallies: Vec<Tally>,
    /// The source under way gave frames.
    began: bool,
    /// The greatest timestamp of the sources before.
    reached: Option<Timestamp>,
}

impl<H: Harvest> Lead<H> {
    pub(super) fn new(own: Worker<H>, dispatcher: Dispatcher, jobs: Vec<Sender<Job>>, spares: Spares) -> Self {
        Lead { own, dispatcher, jobs, spares, tallies: Vec::new(), began: false, reached: None }
    }

    /// Works until the reader is done.
    pub(super) fn run(
        mut self,
        orders: &Receiver<Order>,
        recycler: &Recycler<Work>,
        writer: &Sender<Report<H>>,
    ) -> LeadEnd {
        let mut failure = None;
        for order in orders {
            let report = match order {
                Order::Batch(work) => {
                    let done = self.batch(&work);
                    let number = work.number;
                    recycler.release(work);
                    match done {
                        Ok(true) => self.own.harvested(number),
                        Ok(false) => break, // a worker is gone, and will say so
                        Err(e) => {
                            failure = Some(Failure::Filter(e));
                            break;
                        }
                    }
                }
                Order::SourceEnds => {
                    self.source_ends();
                    continue;
                }
                Order::Tick(tick) => {
                    if self.jobs.iter().any(|tx| tx.send(Job::Tick(tick)).is_err()) {
                        break;
                    }
                    self.own.ledger.merge(self.dispatcher.ledger.take());
                    self.own.pulse(&tick)
                }
            };
            if !report.tell(writer) {
                break; // the writer failed, and will say so
            }
        }
        // A live source does not end before the run does.
        self.source_ends();
        let Lead { own, mut dispatcher, tallies, jobs, .. } = self;
        drop(jobs);
        own.finish(writer);
        LeadEnd { tallies, ledger: std::mem::take(&mut dispatcher.ledger), failure }
    }

    fn source_ends(&mut self) {
        let tally = self.dispatcher.next_source();
        self.reached = tally.greatest.or(self.reached);
        self.tallies.push(tally);
        self.began = false;
    }

    /// Takes a batch; false if a worker is gone.
    fn batch(&mut self, work: &Arc<Work>) -> Result<bool, CaptureError> {
        let began = Instant::now();
        self.own.waited(work, began);
        let mut anew = false;
        if let Some(first) = work.batch.frames.first().filter(|_| !self.began) {
            self.began = true;
            anew = self.reached.is_some_and(|t| first.ts.since(t) < -ROTATION_OVERLAP);
        }
        if anew {
            self.dispatcher.start_anew();
            self.own.start_anew();
        }
        if self.jobs.is_empty() {
            self.dispatcher.batch(work, &mut Alone { own: &mut self.own })?;
            self.own.worked(began);
            self.dispatcher.clear_arena();
            return Ok(true);
        }
        let mut dealt = self.spares.take();
        dealt.begins_anew = anew;
        self.dispatcher.batch(work, &mut Several { alone: Alone { own: &mut self.own }, deals: &mut dealt.deals })?;
        self.own.worked(began);
        dealt.last = self.own.ledger.key();
        dealt.arena.extend_from_slice(self.dispatcher.arena());
        self.dispatcher.clear_arena();
        let dealt = Arc::new(dealt);
        Ok(self.jobs.iter().all(|tx| tx.send(Job::Batch(Arc::clone(work), Arc::clone(&dealt))).is_ok()))
    }
}

/// The lead is the only worker.
struct Alone<'w, H> {
    own: &'w mut Worker<H>,
}

impl<H: Harvest> Hands for Alone<'_, H> {
    #[inline(always)]
    fn turn(&mut self, key: Key) {
        self.own.ledger.turn_to(key);
    }

    #[inline(always)]
    fn plain(&mut self, to: Route, frame: Framed<'_>, segment: u32, shell: Shell, encap: EncapId) {
        self.own.take_plain(frame, to.place, segment, shell, encap);
    }

    fn decoded(&mut self, to: Route, frame: Framed<'_>, segment: u32, packet: &Packet, arena: &[u8]) {
        self.own.take_decoded(frame, to.place, segment, packet, arena);
    }

    fn said(&mut self, to: Route, frame: Framed<'_>, segment: u32, claim: Claim) {
        self.own.hear(frame, to.place, segment, &claim);
    }
}

/// There are others, to whom theirs is dealt.
struct Several<'w, H> {
    alone: Alone<'w, H>,
    deals: &'w mut [Deal],
}

impl<H> Several<'_, H> {
    /// What is dealt to another worker.
    #[inline(always)]
    fn deal(&mut self, to: Route) -> Option<&mut Deal> {
        if to.worker == 0 { None } else { self.deals.get_mut(usize::from(to.worker)) }
    }
}

impl<H: Harvest> Hands for Several<'_, H> {
    #[inline(always)]
    fn turn(&mut self, key: Key) {
        self.alone.turn(key);
    }

    #[inline(always)]
    fn plain(&mut self, to: Route, frame: Framed<'_>, segment: u32, shell: Shell, encap: EncapId) {
        match self.deal(to) {
            Some(deal) => {
                let form = Form::Plain(shell, encap);
                deal.items.push(Item { frame: frame.index as u32, segment, place: to.place, form });
            }
            None => self.alone.plain(to, frame, segment, shell, encap),
        }
    }

    fn decoded(&mut self, to: Route, frame: Framed<'_>, segment: u32, packet: &Packet, arena: &[u8]) {
        match self.deal(to) {
            Some(deal) => {
                deal.decoded.push(*packet);
                deal.items.push(Item { frame: frame.index as u32, segment, place: to.place, form: Form::Decoded });
            }
            None => self.alone.decoded(to, frame, segment, packet, arena),
        }
    }

    fn said(&mut self, to: Route, frame: Framed<'_>, segment: u32, claim: Claim) {
        match self.deal(to) {
            Some(deal) => deal.said.push(Said { claim, frame: frame.index as u32, segment, place: to.place }),
            None => self.alone.said(to, frame, segment, claim),
        }
    }
}
