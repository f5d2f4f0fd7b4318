//! Frames of live interfaces, through libpcap.

use super::device::{interface_names, link_name, link_type};
use super::{Batch, CaptureError, FrameMeta, FrameSource, Interface, InterfaceStatistics, Progress, Status};
use crate::base::Timestamp;
use pcap::{Active, Capture};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A call adds about so many bytes to a batch, and so many frames.
const STEP_BYTES: usize = 256 << 10;
const STEP_FRAMES: usize = 2048;

/// A batch is full with so many bytes, and with so many frames.
pub(crate) const BATCH_BYTES: usize = 1 << 20;
pub(crate) const BATCH_FRAMES: usize = 8192;

/// How long the kernel lets a block of frames fill before it hands it over:
/// 256 KiB each, so where much comes they are full before. A shorter time
/// would spend the blocks of the buffer on few frames each, and a reader that
/// is held up loses frames when none is left.
const BLOCK: Duration = Duration::from_millis(10);

/// A call returns after that time if no frame came.
const PATIENCE: Duration = Duration::from_millis(20);

/// The same where a batch with frames may grow.
const SPELL: Duration = Duration::from_millis(1);

/// After a stop, an interface without frames for that long has no more: six
/// times what a block needs to be handed over.
const QUIET: Duration = Duration::from_millis(60);

/// After a stop, reading ends at the latest after that long, even if the
/// interface's clock says that frames from before the stop still come.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// Frames taken from one interface before it is the next one's turn.
const TURN: usize = 32;

/// How often libpcap is asked for its statistics, which takes system calls.
const STATISTICS_EVERY: Duration = Duration::from_secs(1);

/// How to capture.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Most bytes kept of a frame.
    pub snaplen: u32,
    /// Size of the kernel's buffer for each interface, in bytes.
    pub buffer: u32,
    /// Whether to ask the interface for frames addressed to others too.
    pub promiscuous: bool,
    /// A filter in the language of pcap-filter(7), run by the kernel.
    pub filter: Option<String>,
}

impl Default for LiveOptions {
    /// Whole frames, those that offloading joined included; 64 MiB, which
    /// keeps bursts that the 2 MiB of libpcap lose; promiscuous; no filter.
    fn default() -> Self {
        LiveOptions { snaplen: 262_144, buffer: 64 << 20, promiscuous: true, filter: None }
    }
}

/// Controls a live source from other threads.
#[derive(Clone, Debug)]
pub struct LiveControl(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    statistics: Mutex<Vec<InterfaceStatistics>>,
    followed: Mutex<Followed>,
}

/// What became of files that are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Files of a folder that are no captures.
    pub skipped: u64,
    /// Files whose last record was not whole in the end.
    pub partial: u64,
}

impl LiveControl {
    /// For a source without interfaces of its own.
    pub(super) fn new() -> Self {
        LiveControl(Arc::new(Shared {
            stop: AtomicBool::new(false),
            statistics: Mutex::default(),
            followed: Mutex::default(),
        }))
    }

    /// Whether the source was asked to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Acquire)
    }

    /// Asks the source to end. It first delivers what was captured until now.
    pub fn request_stop(&self) {
        self.0.stop.store(true, Ordering::Release);
    }

    /// What became of files that are followed, as far as that is known.
    pub fn followed(&self) -> Followed {
        *self.0.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what became of them.
    pub(super) fn tell_followed(&self, followed: Followed) {
        *self.0.followed.lock().unwrap_or_else(PoisonError::into_inner) = followed;
    }

    /// What each interface received and lost, not more than about a second
    /// old while the source is read.
    pub fn statistics(&self) -> Vec<InterfaceStatistics> {
        self.0.statistics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One interface being captured on.
struct Tap {
    name: String,
    capture: Capture<Active>,
    /// Nanoseconds in the unit that its timestamps' fractions have.
    nanos: i64,
    state: TapState,
    /// The last statistics of libpcap, whose 32-bit counts wrap.
    last: [u32; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TapState {
    Open,
    /// Read to the stop that was asked for.
    Drained,
    Vanished,
}

/// Live interfaces read together.
pub struct LiveSource {
    taps: Vec<Tap>,
    interfaces: Arc<[Interface]>,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    drain: Option<Drain>,
    failure: Option<CaptureError>,
    statistics_at: Option<Instant>,
    /// Bytes delivered.
    base: u64,
    /// Number of the next frame.
    number: u64,
}

/// Opens interfaces by name; `any` stands for all of the machine's.
///
/// # Errors
///
/// If an interface does not exist, is down, may not be captured on, or the
/// filter is not valid for it.
pub fn open_live<S: AsRef<str>>(names: &[S], options: &LiveOptions) -> Result<LiveSource, CaptureError> {
    let mut taps: Vec<Tap> = Vec::new();
    let mut interfaces = Vec::new();
    for name in names.iter().map(AsRef::as_ref) {
        if taps.iter().any(|t| t.name == name) {
            continue;
        }
        let tap = Tap::open(name, options)?;
        let link = link_type(tap.capture.get_datalink().0);
        interfaces.push(Interface { name: name.to_owned(), link, snaplen: options.snaplen, file: None });
        taps.push(tap);
    }
    let statistics = Mutex::new(vec![InterfaceStatistics::default(); taps.len()]);
    Ok(LiveSource {
        taps,
        interfaces: interfaces.into(),
        shared: Arc::new(Shared { stop: AtomicBool::new(false), statistics, followed: Mutex::default() }),
        progress: Arc::new(Progress::new(None)),
        drain: None,
        failure: None,
        statistics_at: None,
        base: 0,
        number: 1,
    })
}

impl Tap {
    fn open(name: &str, options: &LiveOptions) -> Result<Self, CaptureError> {
        let fail = |e: pcap::Error| open_error(name, &super::bpf::reason(&e), interface_names());
        let clip = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let nano = has_nanoseconds(name);
        let precision = if nano { pcap::Precision::Nano } else { pcap::Precision::Micro };
        let capture = Capture::from_device(name)
            .map_err(fail)?
            // Asking `any` for this is an error, since it has no single card.
            .promisc(options.promiscuous && name != "any")
            .snaplen(clip(options.snaplen))
            .buffer_size(clip(options.buffer))
            // Immediate mode would lose frames in bursts.
            .timeout(i32::try_from(BLOCK.as_millis()).unwrap_or(10))
            .precision(precision)
            .open()
            .map_err(fail)?;
        let mut capture = capture.setnonblock().map_err(fail)?;
        if let Some(expression) = &options.filter {
            capture.filter(expression, true).map_err(|e| CaptureError::BadFilter {
                expression: expression.clone(),
                link: link_name(link_type(capture.get_datalink().0)),
                reason: super::bpf::reason(&e),
            })?;
        }
        let nanos = if nano { 1 } else { 1_000 };
        Ok(Tap { name: name.to_owned(), capture, nanos, state: TapState::Open, last: [0; 3] })
    }

    /// Takes one turn's frames. The number of them and the last one's time.
    fn take(&mut self, index: u16, batch: &mut Batch) -> Result<(usize, Option<Timestamp>), CaptureError> {
        let nanos = self.nanos;
        let mut last = None;
        let Batch { buf, frames, .. } = batch;
        let outcome = self.capture.dispatch(Some(TURN), |packet| {
            let Ok(offset) = u32::try_from(buf.len()) else { return };
            let time = packet.header.ts;
            let ts = Timestamp::from_parts(time.tv_sec, time.tv_usec.saturating_mul(nanos));
            last = Some(ts);
            buf.extend_from_slice(packet.data);
            let caplen = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
            frames.push(FrameMeta { ts, offset, caplen, orig_len: packet.header.len, head: 0, interface: index });
        });
        match outcome {
            Ok(n) => Ok((n, last)),
            Err(e) => {
                let name = self.name.clone();
                let reason = super::bpf::reason(&e);
                Err(if reason.contains("disappeared") {
                    CaptureError::InterfaceVanished { name }
                } else {
                    CaptureError::Live { name, reason }
                })
            }
        }
    }

    /// Adds what libpcap counted since the last call.
    fn count(&mut self, statistics: &mut InterfaceStatistics) {
        let Ok(now) = self.capture.stats() else { return };
        let now = [now.received, now.dropped, now.if_dropped];
        let sums = [&mut statistics.received, &mut statistics.dropped_kernel, &mut statistics.dropped_interface];
        for ((sum, now), last) in sums.into_iter().zip(now).zip(self.last) {
            *sum = sum.saturating_add(u64::from(now.wrapping_sub(last)));
        }
        self.last = now;
    }
}

/// Whether libpcap gives this interface's times in nanoseconds when asked to.
/// The pseudo-interfaces of other kernel subsystems have microseconds only.
fn has_nanoseconds(name: &str) -> bool {
    cfg!(target_os = "linux")
        && !["nflog", "nfqueue", "usbmon", "bluetooth", "dbus-"].iter().any(|prefix| name.starts_with(prefix))
}

/// An error of opening an interface. Of an unprivileged user libpcap says
/// only that permission is missing, even where there is no such interface.
fn open_error(name: &str, reason: &str, known: Vec<String>) -> CaptureError {
    let name = name.to_owned();
    let says = |text: &str| reason.contains(text);
    if says("No such device") || (!known.is_empty() && !known.contains(&name)) {
        CaptureError::NoSuchInterface { name, known }
    } else if says("permission") || says("CAP_NET_RAW") || says("not permitted") {
        CaptureError::CaptureNotPermitted { name }
    } else if says("not up") || says("Network is down") {
        CaptureError::InterfaceDown { name }
    } else {
        CaptureError::Live { name, reason: reason.to_owned() }
    }
}

/// Reading on after a stop was asked for, so that nothing captured before it
/// is lost in the kernel's buffer.
struct Drain {
    /// Frames with later times were captured after the stop.
    stop: Timestamp,
    since: Instant,
    /// When the last frame came.
    quiet_since: Instant,
}

impl Drain {
    fn new(stop: Timestamp, now: Instant) -> Self {
        Drain { stop, since: now, quiet_since: now }
    }

    /// Whether a tap whose frames now reach to `last` has none left from
    /// before the stop.
    fn is_past(&self, last: Timestamp) -> bool {
        last > self.stop
    }

    /// Whether nothing from before the stop can still come.
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.quiet_since) >= QUIET
            || now.saturating_duration_since(self.since) >= LONGEST_DRAIN
    }
}

impl LiveSource {
    /// A handle to stop this source and to read its statistics.
    pub fn control(&self) -> LiveControl {
        LiveControl(self.shared.clone())
    }

    /// Gives every interface a turn; how many frames came.
    fn collect(&mut self, batch: &mut Batch) -> usize {
        let mut got = 0_usize;
        for (index, tap) in (0..=u16::MAX).zip(&mut self.taps) {
            if tap.state != TapState::Open {
                continue;
            }
            match tap.take(index, batch) {
                Ok((n, last)) => {
                    got = got.saturating_add(n);
                    if let (Some(drain), Some(last)) = (&self.drain, last)
                        && drain.is_past(last)
                    {
                        tap.state = TapState::Drained;
                    }
                }
                Err(e) => {
                    tap.state = TapState::Vanished;
                    self.failure = Some(e);
                    break;
                }
            }
        }
        got
    }

    fn has_open(&self) -> bool {
        self.taps.iter().any(|t| t.state == TapState::Open)
    }

    /// Waits until an interface has frames, at most until `deadline`.
    fn wait(&self, deadline: Instant) {
        let open = self.taps.iter().filter(|t| t.state == TapState::Open);
        let mut fds: Vec<PollFd<'_>> = open.map(|t| PollFd::new(&t.capture, PollFlags::IN)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        if let Ok(left) = Timespec::try_from(left) {
            // Whatever cut the wait short, the caller looks again.
            let _ = poll(&mut fds, Some(&left));
        }
    }

    /// Adds frames to a batch, and counts them; how many.
    fn take_more(&mut self, batch: &mut Batch, patience: Duration) -> usize {
        let (bytes, frames) = (batch.buf.len(), batch.frames.len());
        if self.failure.is_none() {
            self.fill(batch, patience);
        }
        let bytes = batch.buf.len().saturating_sub(bytes);
        let got = batch.frames.len().saturating_sub(frames);
        if self.taps.len() > 1 && got > 0 {
            batch.frames.sort_by_key(|f| f.ts);
        }
        self.base = self.base.saturating_add(bytes as u64);
        self.number = self.number.saturating_add(got as u64);
        self.progress.add(bytes);
        got
    }

    fn refresh_statistics(&mut self, now: Instant, force: bool) {
        if !force && self.statistics_at.is_some_and(|at| now.saturating_duration_since(at) < STATISTICS_EVERY) {
            return;
        }
        self.statistics_at = Some(now);
        let mut statistics = self.shared.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        for (tap, statistics) in self.taps.iter_mut().zip(statistics.iter_mut()) {
            if tap.state != TapState::Vanished {
                tap.count(statistics);
            }
        }
    }

    /// Collects frames until there are none for now, or enough of them; if
    /// none come at all, for so long. From several interfaces, for so long
    /// also if some came: each has blocks of its own, and what one delivers
    /// late is to be sorted among the others'.
    fn fill(&mut self, batch: &mut Batch, patience: Duration) {
        let mut now = Instant::now();
        let deadline = now + patience;
        let had = batch.frames.len();
        let enough = (batch.buf.len().saturating_add(STEP_BYTES), had.saturating_add(STEP_FRAMES));
        while self.has_open() {
            if self.drain.is_none() && self.shared.stop.load(Ordering::Acquire) {
                self.drain = Some(Drain::new(Timestamp::now(), now));
            }
            let got = self.collect(batch);
            now = Instant::now();
            if let Some(drain) = &mut self.drain {
                if got > 0 {
                    drain.quiet_since = now;
                }
                if drain.is_over(now) {
                    self.taps.iter_mut().for_each(|t| t.state = TapState::Drained);
                }
            }
            let more = batch.frames.len() > had;
            let dry = more && got == 0 && self.taps.len() == 1;
            let done = batch.buf.len() >= enough.0 || batch.frames.len() >= enough.1 || dry;
            if done || self.failure.is_some() || now >= deadline {
                break;
            }
            if got == 0 {
                self.wait(deadline);
            }
        }
        self.refresh_statistics(now, !self.has_open());
    }
}

/// Whether another step might not fit.
fn is_full(batch: &Batch) -> bool {
    batch.buf.len().saturating_add(STEP_BYTES) > BATCH_BYTES
        || batch.frames.len().saturating_add(STEP_FRAMES) > BATCH_FRAMES
}

impl FrameSource for LiveSource {
    /// Returns when no more frames wait, or a step of them is read; without
    /// any after 20 ms, and so with several interfaces. When an interface vanishes, that is the error of one
    /// call; the others are read on.
    fn next_batch(&mut self, batch: &mut Batch) -> Result<Status, CaptureError> {
        batch.buf.clear();
        batch.frames.clear();
        batch.carried = 0;
        batch.base = self.base;
        batch.first_number = self.number;
        batch.interfaces = self.interfaces.clone();
        if self.take_more(batch, PATIENCE) > 0 {
            return Ok(Status::Frames);
        }
        match self.failure.take() {
            Some(e) => Err(e),
            None if self.has_open() => Ok(Status::Idle),
            None => Ok(Status::End),
        }
    }

    /// Returns at the latest after a millisecond without frames.
    fn add_to(&mut self, batch: &mut Batch) -> Status {
        let got = self.take_more(batch, SPELL);
        if self.failure.is_some() || !self.has_open() || is_full(batch) {
            Status::End
        } else if got == 0 {
            Status::Idle
        } else {
            Status::Frames
        }
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        self.interfaces.clone()
    }

    fn statistics(&self) -> Vec<InterfaceStatistics> {
        self.control().statistics()
    }

    fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_opening_say_what_to_do() {
        let known = || vec!["eth0".to_owned()];
        let e = open_error("eth9", "eth9: No such device exists (SIOCGIFHWADDR: No such device)", known());
        assert!(matches!(&e, CaptureError::NoSuchInterface { .. }));
        assert!(e.to_string().contains("eth0"), "{e}");
        // libpcap asks for permission before it looks for the interface.
        let denied = "Attempt to create packet socket failed - CAP_NET_RAW may be required";
        assert!(matches!(open_error("eth9", denied, known()), CaptureError::NoSuchInterface { .. }));
        let e = open_error("eth0", denied, known());
        assert!(matches!(&e, CaptureError::CaptureNotPermitted { .. }));
        assert!(e.to_string().contains("setcap cap_net_raw,cap_net_admin+ep"), "{e}");
        let e = open_error("eth0", "That device is not up", known());
        assert!(matches!(e, CaptureError::InterfaceDown { .. }));
        assert!(matches!(open_error("eth0", "no memory", known()), CaptureError::Live { .. }));
    }

    #[test]
    fn a_drain_ends_when_quiet_or_past_the_stop() {
        let start = Instant::now();
        let mut drain = Drain::new(Timestamp(100), start);
        assert!(!drain.is_over(start + BLOCK));
        assert!(drain.is_over(start + QUIET));
        drain.quiet_since = start + Duration::from_secs(4);
        assert!(!drain.is_over(start + Duration::from_secs(4)));
        drain.quiet_since = start + Duration::from_secs(5);
        assert!(drain.is_over(start + Duration::from_secs(5)));
        assert!(drain.is_past(Timestamp(101)));
        assert!(!drain.is_past(Timestamp(100)));
    }

    #[test]
    fn a_missing_interface_is_an_error() {
        let e = open_live(&["no-such-if0"], &LiveOptions::default()).err().unwrap();
        assert!(matches!(e, CaptureError::NoSuchInterface { .. } | CaptureError::CaptureNotPermitted { .. }), "{e}");
    }

    #[test]
    #[ignore = "needs CAP_NET_RAW"]
    fn everything_before_the_stop_is_delivered() {
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = receiver.local_addr().unwrap();
        let filter = Some(format!("udp dst port {}", address.port()));
        let mut source = open_live(&["lo"], &LiveOptions { filter, ..LiveOptions::default() }).unwrap();
        let control = source.control();
        let mut batch = Batch::default();
        assert_eq!(source.next_batch(&mut batch).unwrap(), Status::Idle);
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for n in 0..1000_u32 {
            sender.send_to(&n.to_be_bytes(), address).unwrap();
        }
        control.request_stop();
        let mut seen = std::collections::BTreeSet::new();
        let (mut frames, mut next) = (0, 1);
        loop {
            match source.next_batch(&mut batch).unwrap() {
                Status::End => break,
                Status::Idle => continue,
                Status::Frames => {}
            }
            while source.add_to(&mut batch) == Status::Frames {}
            assert!(batch.frames.len() <= BATCH_FRAMES && batch.buf.len() <= BATCH_BYTES);
            assert_eq!(batch.first_number, next);
            next += batch.frames.len() as u64;
            for frame in &batch.frames {
                frames += 1;
                let bytes = batch.bytes(frame);
                seen.insert(bytes.last_chunk::<4>().copied().unwrap());
                assert!(Timestamp::now().since(frame.ts).abs() < 60 * crate::base::time::SECOND);
            }
        }
        assert_eq!(seen.len(), 1000);
        let statistics = control.statistics();
        // The kernel counts what the loopback interface sends too.
        assert!(statistics[0].received >= frames && statistics[0].dropped_kernel == 0);
        assert_eq!(source.next_batch(&mut batch).unwrap(), Status::End);
    }
}
