//! What can go wrong with a source of frames.

use std::io;
use std::path::PathBuf;

/// Why a source cannot be opened, or not be read to its end.
///
/// The messages are one sentence each and do not name the path; the caller
/// puts it in front.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The path does not exist.
    #[error("no such file or folder; check the path")]
    NotFound,
    /// The path may not be read.
    #[error("permission denied; make it readable for this user or run as one that may read it")]
    PermissionDenied,
    /// The file has no bytes.
    #[error("the file is empty (0 bytes), so it is no capture; leave it out or capture again")]
    Empty,
    /// A folder where a file is needed.
    #[error("this is a folder; name the capture files in it")]
    IsFolder,
    /// A folder in which no file is a capture.
    #[error("no file in this folder is a capture (pcap or pcapng, also compressed); check the path")]
    NoCaptureInFolder,
    /// The content is neither pcap nor pcapng.
    #[error("not a capture: {what}; only pcap and pcapng are read, plain or as gzip, zstd, xz, lz4 or bzip2")]
    NotACapture {
        /// What was found instead.
        what: &'static str,
    },
    /// A capture of a version that is not known.
    #[error("{format} version {major}.{minor} is not supported; convert it with a tool that knows it")]
    UnsupportedVersion {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// The major version in the file.
        major: u16,
        /// The minor version in the file.
        minor: u16,
    },
    /// The content makes no sense from here on; what came before was kept.
    #[error("damaged at byte {offset}: {what}; what came before was read, the rest was not")]
    Damaged {
        /// Offset in the decompressed content of the record or block.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Packet blocks in the middle that make no sense; all others were read.
    #[error("{count} packet blocks were left out, the first at byte {offset}: {what}; everything else was read")]
    BlocksSkipped {
        /// Offset in the decompressed content of the first of them.
        offset: u64,
        /// How many.
        count: u64,
        /// What is wrong with the first.
        what: &'static str,
    },
    /// The content ends inside a record; what came before was kept.
    #[error(
        "cut off: the content ends inside the record that starts at byte {offset}; what came before was read, \
         get the whole file if there is one"
    )]
    Cut {
        /// Offset in the decompressed content of the incomplete record.
        offset: u64,
    },
    /// The compressed data end too early; what came before was kept.
    #[error(
        "cut off: the {format} data end early, after {offset} bytes of content; what came before was read, \
         get the whole file if there is one"
    )]
    CutCompressed {
        /// The compression format.
        format: &'static str,
        /// Bytes of decompressed content before the cut.
        offset: u64,
    },
    /// The compressed data make no sense from here on; what came before was
    /// kept.
    #[error(
        "the {format} data are damaged after {offset} bytes of content ({what}); what came before was read, \
         get an intact copy if there is one"
    )]
    DamagedCompressed {
        /// The compression format.
        format: &'static str,
        /// Bytes of decompressed content before the damage.
        offset: u64,
        /// What the decompressor said.
        what: String,
    },
    /// Compressed data cannot be read while they grow.
    #[error("a compressed file cannot be followed; read it when it is complete, or follow an uncompressed one")]
    CompressedGrows,
    /// A file went on growing after it was taken to be finished.
    #[error("it grew after many others had begun, and what was added then was not read")]
    GrewLate,
    /// Reading was stopped while there was much to read.
    #[error("stopped before everything that was there could be read; what came before was")]
    StoppedEarly,
    /// Something is wrong with one of the files that a source reads.
    #[error("{}: {error}", .file.display())]
    InFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: Box<CaptureError>,
    },
    /// Reading failed.
    #[error("cannot be read ({0}); check the file system and the device under it")]
    Io(io::Error),
    /// There is no such interface.
    #[error("there is no interface {name}; those there are: {}", list(.known))]
    NoSuchInterface {
        /// The name asked for.
        name: String,
        /// The names that would work.
        known: Vec<String>,
    },
    /// Capturing is not permitted.
    #[error(
        "no permission to capture on {name}; run as root, or once \
         'setcap cap_net_raw,cap_net_admin+ep' on the program file"
    )]
    CaptureNotPermitted {
        /// The interface.
        name: String,
    },
    /// The interface is down.
    #[error("the interface {name} is down; bring it up with 'ip link set {name} up'")]
    InterfaceDown {
        /// The interface.
        name: String,
    },
    /// The interface went away while it was captured on.
    #[error("the interface {name} disappeared; everything captured before was read")]
    InterfaceVanished {
        /// The interface.
        name: String,
    },
    /// A filter expression that does not compile.
    #[error("the filter '{expression}' is not valid for {link}: {reason}; see pcap-filter(7)")]
    BadFilter {
        /// The expression as given.
        expression: String,
        /// The link type that it was compiled for.
        link: String,
        /// What libpcap said.
        reason: String,
    },
    /// Anything else that libpcap reports.
    #[error("capturing on {name} failed: {reason}")]
    Live {
        /// The interface.
        name: String,
        /// What libpcap said.
        reason: String,
    },
}

impl CaptureError {
    /// Whether the source could be read in part: frames before the problem,
    /// if there were any, have been delivered.
    pub fn is_partial(&self) -> bool {
        if let CaptureError::InFile { error, .. } = self {
            return error.is_partial();
        }
        matches!(
            self,
            CaptureError::Damaged { .. }
                | CaptureError::BlocksSkipped { .. }
                | CaptureError::Cut { .. }
                | CaptureError::CutCompressed { .. }
                | CaptureError::DamagedCompressed { .. }
                | CaptureError::GrewLate
                | CaptureError::StoppedEarly
                | CaptureError::InterfaceVanished { .. }
        )
    }

    /// From an error of opening or reading a file.
    pub(super) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => CaptureError::NotFound,
            io::ErrorKind::PermissionDenied => CaptureError::PermissionDenied,
            io::ErrorKind::IsADirectory => CaptureError::IsFolder,
            _ => CaptureError::Io(error),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_interfaces_there_are() {
        let e = CaptureError::NoSuchInterface { name: "eth9".into(), known: vec!["eth0".into(), "lo".into()] };
        assert_eq!(e.to_string(), "there is no interface eth9; those there are: eth0, lo");
        assert!(!e.is_partial());
        let e = CaptureError::NoSuchInterface { name: "eth9".into(), known: vec![] };
        assert!(e.to_string().ends_with("none"));
    }

    #[test]
    fn io_errors_get_their_kind() {
        assert!(matches!(CaptureError::from_io(io::ErrorKind::NotFound.into()), CaptureError::NotFound));
        assert!(matches!(
            CaptureError::from_io(io::ErrorKind::PermissionDenied.into()),
            CaptureError::PermissionDenied
        ));
        assert!(matches!(CaptureError::from_io(io::ErrorKind::BrokenPipe.into()), CaptureError::Io(_)));
    }
}
