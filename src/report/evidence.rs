//! Folders of evidence: packets as pcapng, and a manifest of what they are.

use super::output::{Output, OutputError};
use crate::base::Timestamp;
use crate::base::digest::hex;
use crate::capture::{Interface, InterfaceDescription, PacketBlock, PcapngWriter};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Value of `schema` in a manifest.
pub const SCHEMA: &str = "spansight.manifest/1";
/// The manifest's name in its folder.
pub const MANIFEST: &str = "manifest.json";
/// What the files of packets end with.
pub const ENDING: &str = "pcapng";

/// The program's name and version, as pcapng files carry it.
pub const APPLICATION: &str = concat!("spansight ", env!("CARGO_PKG_VERSION"));

/// What a folder of evidence holds, and what it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// What wrote it.
    pub created_by: CreatedBy,
    /// SHA-256 of the catalogue in effect, in hex.
    pub catalogue_sha256: String,
    /// Home networks, as prefixes or `any`.
    pub home_networks: Vec<String>,
    /// Sensor name.
    pub sensor: String,
    /// What was read.
    pub inputs: Vec<Input>,
    /// What was written.
    pub files: Vec<Written>,
    /// Records whose evidence was to be written.
    pub records: u64,
    /// Frames of evidence that are not in the files: beyond the limit, or not
    /// to be had any more.
    #[serde(default)]
    pub frames_left_out: u64,
}

/// Version and command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedBy {
    /// Version of the program.
    pub version: String,
    /// Command line, program name first.
    pub command: Vec<String>,
}

/// One source of frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Path as it was read, or the interfaces of a live run.
    pub path: String,
    /// Its name in records.
    pub source: String,
    /// SHA-256 of the decompressed content, in hex; absent where it was not
    /// computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Size in bytes of the file as it lies on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Frames delivered.
    pub frames: u64,
    /// Least timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Greatest timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// One file in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Path relative to the folder.
    pub path: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// Packets in it.
    pub packets: u64,
}

/// Why evidence cannot be written. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The folder holds something.
    #[error("--evidence-dir {path:?} is not empty; give a new folder, so that evidence of two runs is not mixed")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be made or used.
    #[error("cannot write to --evidence-dir {path:?} ({source}): check the path and its permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file in it cannot be written.
    #[error(transparent)]
    File(#[from] OutputError),
}

/// A folder that evidence is written to, and how much it may take.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    limit: u64,
    /// Bytes of packets in files so far, those that are open included.
    taken: u64,
    /// A packet did not fit.
    full: bool,
    files: Vec<Written>,
}

impl Folder {
    /// Makes the folder, or takes one that is empty. With `beside`, where there
    /// is evidence of an earlier run, one of the same name and `-2`, `-3` and
    /// so on is made beside it: a sensor that is started again must not fail
    /// for what it wrote before, nor change it. `limit` is how many bytes of
    /// packets it may hold.
    ///
    /// # Errors
    /// [`EvidenceError::NotEmpty`] or [`EvidenceError::Folder`].
    pub fn take(path: &Path, limit: u64, beside: bool) -> Result<Folder, EvidenceError> {
        let fail = |source| EvidenceError::Folder { path: path.to_owned(), source };
        let folder = |path: PathBuf| Folder { path, limit, taken: 0, full: false, files: Vec::new() };
        new(true).create(path).map_err(fail)?;
        if fs::read_dir(path).map_err(fail)?.next().is_none() {
            // Better said now than when everything is read.
            tempfile::tempfile_in(path).map_err(fail)?;
            return Ok(folder(path.to_owned()));
        }
        let name = path.file_name().filter(|_| beside && path.join(MANIFEST).is_file());
        for n in name.into_iter().flat_map(|_| 2u32..) {
            let mut next = name.unwrap_or_default().to_owned();
            next.push(format!("-{n}"));
            let next = path.with_file_name(next);
            match new(false).create(&next) {
                Ok(()) => return Ok(folder(next)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(fail(e)),
            }
        }
        Err(EvidenceError::NotEmpty { path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file of the packets of a day, which may have one already.
    ///
    /// # Errors
    /// [`EvidenceError::File`].
    pub fn begin_day(&mut self, day: &str) -> Result<PacketFile, EvidenceError> {
        let taken = |name: &String| self.path.join(name).exists();
        let more = (2u32..).map(|n| format!("evidence-{day}.{n}.{ENDING}"));
        let name = std::iter::once(format!("evidence-{day}.{ENDING}")).chain(more).find(|name| !taken(name));
        self.begin(&name.unwrap_or_default())
    }

    /// Begins a file of packets.
    ///
    /// # Errors
    /// [`EvidenceError::File`].
    pub fn begin(&mut self, name: &str) -> Result<PacketFile, EvidenceError> {
        let path = self.path.join(name);
        let open = || -> io::Result<PcapngWriter<BufWriter<File>>> {
            let file = OpenOptions::new().write(true).read(true).create_new(true).open(&path)?;
            PcapngWriter::new(BufWriter::with_capacity(64 << 10, file), APPLICATION)
        };
        let writer = open().map_err(|source| OutputError::Create { path: path.clone(), source })?;
        self.taken = self.taken.saturating_add(writer.written());
        let name = name.to_owned();
        Ok(PacketFile { name, path, writer: Some(writer), interfaces: HashMap::new(), packets: 0, sound: 0 })
    }

    /// Whether a packet did not fit; no other is written then.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Writes a packet; false if it does not fit in what the folder may hold,
    /// or one before did not.
    ///
    /// # Errors
    /// [`EvidenceError::File`], as of [`PacketFile::flush`].
    pub fn add(&mut self, file: &mut PacketFile, packet: &EvidencePacket<'_>) -> Result<bool, EvidenceError> {
        let size = PcapngWriter::<File>::packet_size(packet.bytes.len(), packet.comments);
        self.full |= self.taken.saturating_add(size) > self.limit;
        if self.full {
            return Ok(false);
        }
        let before = file.written();
        file.add(packet).map_err(|source| file.give_up(source))?;
        self.taken = self.taken.saturating_add(file.written().saturating_sub(before));
        Ok(true)
    }

    /// Ends a file. One without packets goes.
    ///
    /// # Errors
    /// [`EvidenceError::File`].
    pub fn end(&mut self, mut file: PacketFile) -> Result<(), EvidenceError> {
        file.flush()?;
        let PacketFile { name, path, writer, packets, .. } = file;
        let Some(writer) = writer else { return Ok(()) };
        let finish = || -> io::Result<Option<Written>> {
            let file = writer.into_inner().into_parts().0;
            file.sync_all()?;
            if packets == 0 {
                fs::remove_file(&path)?;
                return Ok(None);
            }
            // What lies on the disk, not what was meant to.
            let (sha256, size) = digest(file)?;
            Ok(Some(Written { path: name, sha256, size, packets }))
        };
        let written = finish().map_err(|source| OutputError::Write { path: path.clone(), source })?;
        self.files.extend(written);
        Ok(())
    }

    /// Writes the manifest, the files that were ended in it. It appears when
    /// it is complete.
    ///
    /// # Errors
    /// [`EvidenceError::File`].
    pub fn describe(&self, manifest: &Manifest) -> Result<(), EvidenceError> {
        let manifest = Manifest { schema: SCHEMA.into(), files: self.files.clone(), ..manifest.clone() };
        let mut out = Output::open(Some(&self.path.join(MANIFEST)))?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from);
        let written = text.and_then(|text| out.write_all(&text)).and_then(|()| out.write_all(b"\n"));
        written.map_err(|e| out.error(e))?;
        Ok(out.finish()?)
    }
}

/// A frame of evidence.
#[derive(Clone, Copy, Debug)]
pub struct EvidencePacket<'a> {
    /// Source and interface in it, whatever tells them apart.
    pub from: (u32, u16),
    /// The interface.
    pub interface: &'a Interface,
    /// What to say of the interface.
    pub description: &'a str,
    /// When it was captured.
    pub ts: Timestamp,
    /// Bytes on the wire.
    pub orig_len: u32,
    /// The frame as captured.
    pub bytes: &'a [u8],
    /// What it is evidence of.
    pub comments: &'a [String],
}

/// A file of packets that is being written.
#[derive(Debug)]
pub struct PacketFile {
    name: String,
    path: PathBuf,
    /// None once writing failed.
    writer: Option<PcapngWriter<BufWriter<File>>>,
    interfaces: HashMap<(u32, u16), u32>,
    packets: u64,
    /// Bytes that are on the disk and end with a whole packet.
    sound: u64,
}

impl PacketFile {
    fn written(&self) -> u64 {
        self.writer.as_ref().map_or(0, PcapngWriter::written)
    }

    fn add(&mut self, packet: &EvidencePacket<'_>) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Err(io::Error::other("an earlier write failed")) };
        let interface = match self.interfaces.get(&packet.from) {
            Some(number) => *number,
            None => {
                let name = packet.interface.name.as_str();
                let (link, snaplen) = (packet.interface.link, packet.interface.snaplen);
                let described = InterfaceDescription { link, snaplen, name, description: packet.description };
                let number = writer.interface(&described)?;
                self.interfaces.insert(packet.from, number);
                number
            }
        };
        let block = PacketBlock { interface, ts: packet.ts, orig_len: packet.orig_len, bytes: packet.bytes };
        writer.packet(&block, packet.comments)?;
        self.packets = self.packets.saturating_add(1);
        Ok(())
    }

    /// Hands what was written to the operating system.
    ///
    /// # Errors
    /// [`EvidenceError::File`]; then the file ends as it was after the last
    /// call that succeeded, and is gone if there was none.
    pub fn flush(&mut self) -> Result<(), EvidenceError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.get_mut().flush().map_err(|source| self.give_up(source))?;
        self.sound = self.written();
        Ok(())
    }

    /// A disk that is full has cut a packet: what is whole stays readable.
    fn give_up(&mut self, source: io::Error) -> EvidenceError {
        if let Some(writer) = self.writer.take() {
            // What waits in the buffer must not follow later.
            let (file, _) = writer.into_inner().into_parts();
            drop(if self.sound == 0 { fs::remove_file(&self.path) } else { file.set_len(self.sound) });
        }
        OutputError::Write { path: self.path.clone(), source }.into()
    }
}

/// Makes folders that only their owner may read.
fn new(recursive: bool) -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(recursive);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
}

/// SHA-256 in hex and length of a file.
fn digest(mut file: File) -> io::Result<(String, u64)> {
    file.rewind()?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0u64;
    loop {
        let n = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..n).filter(|read| !read.is_empty()) else { break };
        context.update(read);
        size = size.saturating_add(n as u64);
    }
    Ok((hex(context.finish().as_ref()), size))
}

/// What a comment says of a frame: the record, what it shows, and where the
/// frame was.
pub fn comment(record: &str, channel: &str, name: Option<&str>, source: &str, frame: u64) -> String {
    let name = name.map(|n| format!(" {n}")).unwrap_or_default();
    format!("sighting {record}: {channel}{name}; {source} frame {frame}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{self, Batch, LinkType, OpenOptions, Status};

    fn packet<'a>(
        bytes: &'a [u8],
        from: (u32, u16),
        interface: &'a Interface,
        comments: &'a [String],
    ) -> EvidencePacket<'a> {
        EvidencePacket { from, interface, description: "", ts: Timestamp(5), orig_len: 99, bytes, comments }
    }

    fn links(path: &Path) -> Vec<(u16, usize)> {
        let mut source = capture::open(path, &OpenOptions::default()).unwrap();
        let mut batch = Batch::default();
        let mut all = Vec::new();
        while let Status::Frames = source.next_batch(&mut batch).unwrap() {
            let link = |f: &capture::FrameMeta| batch.interfaces[usize::from(f.interface)].link.0;
            all.extend(batch.frames.iter().map(|f| (link(f), batch.bytes(f).len())));
        }
        all
    }

    #[test]
    fn packets_of_several_link_types_and_a_manifest_of_their_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder");
        let mut folder = Folder::take(&path, 1 << 20, false).unwrap();
        let mut file = folder.begin("a.pcapng").unwrap();
        let (eth, raw) = (
            Interface { link: LinkType(1), ..Interface::default() },
            Interface { link: LinkType(101), ..Interface::default() },
        );
        for (from, interface) in [((0, 0), &eth), ((1, 0), &raw), ((0, 0), &eth)] {
            assert!(folder.add(&mut file, &packet(&[7; 20], from, interface, &["why".into()])).unwrap());
        }
        folder.end(file).unwrap();
        folder.describe(&Manifest { records: 3, ..Manifest::default() }).unwrap();
        assert_eq!(links(&path.join("a.pcapng")), [(1, 20), (101, 20), (1, 20)]);
        let read: Manifest = serde_json::from_slice(&fs::read(path.join(MANIFEST)).unwrap()).unwrap();
        let bytes = fs::read(path.join("a.pcapng")).unwrap();
        let sha256 = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
        let want = Written { path: "a.pcapng".into(), sha256, size: bytes.len() as u64, packets: 3 };
        assert_eq!((read.schema.as_str(), read.records, read.files), (SCHEMA, 3, vec![want]));
    }

    #[test]
    fn the_limit_holds_for_all_files_together() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::take(dir.path(), 1000, false).unwrap();
        let eth = Interface::default();
        let mut packets = 0;
        for name in ["a.pcapng", "b.pcapng"] {
            let mut file = folder.begin(name).unwrap();
            while folder.add(&mut file, &packet(&[7; 64], (0, 0), &eth, &[])).unwrap() {
                packets += 1;
            }
            folder.end(file).unwrap();
        }
        assert!((7..=9).contains(&packets), "{packets}");
        assert_eq!(folder.files.len(), 1, "a file without packets is none");
        assert!(fs::metadata(dir.path().join("a.pcapng")).unwrap().len() <= 1000);
        assert!(!dir.path().join("b.pcapng").exists());
    }

    #[test]
    fn a_folder_that_holds_something_is_refused_or_another_is_made_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ev");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        for beside in [false, true] {
            let e = Folder::take(&path, 1, beside).unwrap_err();
            assert!(matches!(e, EvidenceError::NotEmpty { .. }), "{e}");
        }
        fs::write(path.join(MANIFEST), "{}").unwrap();
        assert!(Folder::take(&path, 1, false).is_err());
        for n in [2, 3] {
            assert_eq!(Folder::take(&path, 1, true).unwrap().path(), dir.path().join(format!("ev-{n}")));
        }
        assert!(Folder::take(&path.join("notes.txt"), 1, false).is_err());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "nothing was added");
    }
}
