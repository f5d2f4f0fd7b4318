//! Where output goes: standard output, a file that appears only when it is
//! complete, or one that grows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Size of the write buffer in bytes.
const BUFFER: usize = 64 * 1024;

/// Destination of `--output`. Write to it, then call [`Output::finish`]; one
/// that is dropped leaves a file at the destination as it was.
#[derive(Debug)]
pub struct Output {
    to: Destination,
}

#[derive(Debug)]
enum Destination {
    Stdout(BufWriter<io::Stdout>),
    /// A device or a pipe, which is written as it is.
    Direct(BufWriter<File>, PathBuf),
    File(BufWriter<NamedTempFile>, PathBuf),
}

/// A destination that could not be written. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file cannot be made.
    #[error("cannot write {path:?} ({source}): check the path and its permissions")]
    Create {
        /// The destination.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Writing failed half way.
    #[error("writing {path:?} failed ({source}); {}", kept(source))]
    Write {
        /// The destination.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Standard output failed.
    #[error("writing standard output failed ({0})")]
    Stdout(io::Error),
}

fn kept(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free some space and run again; what was there before is kept"
        }
        _ => "what was there before is kept",
    }
}

impl OutputError {
    /// Whether whoever read the output closed it (`| head`), which is success.
    pub fn is_closed_pipe(&self) -> bool {
        let (OutputError::Create { source, .. } | OutputError::Write { source, .. } | OutputError::Stdout(source)) =
            self;
        source.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Output {
    /// Opens a destination; `None` and `-` are standard output.
    ///
    /// A file is written beside its destination under a name of its own and
    /// moved there by [`Output::finish`]. A symbolic link at the destination is
    /// replaced, not followed. A new file gets the permissions that the umask
    /// leaves, one that replaces a file gets that file's. What is no file, such
    /// as `/dev/stdout` or a named pipe, is written directly.
    ///
    /// # Errors
    /// [`OutputError::Create`].
    pub fn open(path: Option<&Path>) -> Result<Output, OutputError> {
        let Some(path) = path.filter(|p| *p != Path::new("-")) else {
            let out = BufWriter::with_capacity(BUFFER, io::stdout());
            return Ok(Output { to: Destination::Stdout(out) });
        };
        let open = || -> io::Result<Destination> {
            if is_special(path)? {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(Destination::Direct(BufWriter::with_capacity(BUFFER, file), path.to_owned()));
            }
            let temp = beside(path)?;
            Ok(Destination::File(BufWriter::with_capacity(BUFFER, temp), path.to_owned()))
        };
        let to = open().map_err(|source| OutputError::Create { path: path.to_owned(), source })?;
        Ok(Output { to })
    }

    /// Whether a file could be made at a destination, so that a wrong path is
    /// said before hours of work. Devices and pipes are left alone.
    ///
    /// # Errors
    /// [`OutputError::Create`].
    pub fn check(path: Option<&Path>) -> Result<(), OutputError> {
        let Some(path) = path.filter(|p| *p != Path::new("-")) else { return Ok(()) };
        let check = || if is_special(path)? { Ok(()) } else { beside(path).map(drop) };
        check().map_err(|source| OutputError::Create { path: path.to_owned(), source })
    }

    /// Opens a destination that is to be read while it is written: lines are
    /// added to the end of a file, which is created if there is none; they are
    /// there as soon as they are flushed, and stay if the program dies. A
    /// symbolic link is not followed. Anything else is as with
    /// [`Output::open`].
    ///
    /// # Errors
    /// [`OutputError::Create`].
    pub fn append(path: Option<&Path>) -> Result<Output, OutputError> {
        let Some(path) = path.filter(|p| *p != Path::new("-")) else { return Output::open(None) };
        let open = || -> io::Result<File> {
            let mut options = OpenOptions::new();
            if is_special(path)? {
                return options.write(true).open(path);
            }
            options.append(true).create(true);
            #[cfg(unix)]
            {
                use rustix::fs::OFlags;
                use std::os::unix::fs::OpenOptionsExt;
                let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
                options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
            }
            options.open(path).map_err(|e| {
                let link = fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
                if link { io::Error::new(e.kind(), "it is a symbolic link; name the file itself") } else { e }
            })
        };
        let file = open().map_err(|source| OutputError::Create { path: path.to_owned(), source })?;
        Ok(Output { to: Destination::Direct(BufWriter::with_capacity(BUFFER, file), path.to_owned()) })
    }

    /// Whether nothing was written to the destination yet, as far as it tells.
    pub fn is_blank(&self) -> bool {
        match &self.to {
            Destination::Direct(out, _) => out.get_ref().metadata().map_or(true, |m| m.len() == 0),
            Destination::Stdout(_) | Destination::File(..) => true,
        }
    }

    /// Whether standard output leads to a pipe that nobody reads any more.
    pub fn stdout_is_abandoned() -> bool {
        #[cfg(unix)]
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let out = io::stdout();
            let mut fds = [PollFd::new(&out, PollFlags::empty())];
            let ready = poll(&mut fds, Some(&Timespec::default()));
            ready.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR))
        }
        #[cfg(not(unix))]
        false
    }

    /// Makes the output complete: flushes it, and moves a file to its place
    /// once it is safe on the disk.
    ///
    /// # Errors
    /// [`OutputError::Write`] or [`OutputError::Stdout`]; then a file that was
    /// at the destination is as it was.
    pub fn finish(self) -> Result<(), OutputError> {
        match self.to {
            Destination::Stdout(mut out) => out.flush().map_err(OutputError::Stdout),
            Destination::Direct(mut out, path) => out.flush().map_err(|source| OutputError::Write { path, source }),
            Destination::File(out, path) => {
                move_into_place(out, &path).map_err(|source| OutputError::Write { path, source })
            }
        }
    }

    /// Goes on at standard output, after what was written so far, so that a
    /// disk that is full takes nothing from the reader. What went to a device
    /// or a pipe stays there.
    ///
    /// # Errors
    /// Of reading the file again, or of standard output.
    pub fn turn_to_stdout(&mut self) -> io::Result<()> {
        let stdout = BufWriter::with_capacity(BUFFER, io::stdout());
        match std::mem::replace(&mut self.to, Destination::Stdout(stdout)) {
            Destination::Stdout(_) => {}
            Destination::Direct(file, _) => {
                let (_, waiting) = file.into_parts();
                self.write_all(&waiting.unwrap_or_default())?;
            }
            Destination::File(file, _) => {
                let (temp, waiting) = file.into_parts();
                io::copy(&mut temp.reopen()?, self)?;
                self.write_all(&waiting.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Whether this is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self.to, Destination::Stdout(_))
    }

    /// Says which destination an error of [`Write`] belongs to.
    pub fn error(&self, source: io::Error) -> OutputError {
        match &self.to {
            Destination::Stdout(_) => OutputError::Stdout(source),
            Destination::Direct(_, path) | Destination::File(_, path) => {
                OutputError::Write { path: path.clone(), source }
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            Destination::Stdout(out) => out.write(buf),
            Destination::Direct(out, _) => out.write(buf),
            Destination::File(out, _) => out.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Destination::Stdout(out) => out.flush(),
            Destination::Direct(out, _) => out.flush(),
            Destination::File(out, _) => out.flush(),
        }
    }
}

/// Whether the destination must be written as it is: something that is no file,
/// or any name in /dev and /proc (`/dev/stdout` is a link, also when it leads
/// to a file, and must survive).
fn is_special(path: &Path) -> io::Result<bool> {
    let in_system = ["/dev", "/proc"].iter().any(|system| path.starts_with(system)) && !path.starts_with("/dev/shm");
    let Ok(target) = fs::metadata(path) else { return Ok(false) };
    if target.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if target.file_type().is_block_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a disk"));
        }
    }
    Ok(in_system || !target.is_file())
}

/// A new file in the destination's folder, so that moving it is one step.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut prefix = std::ffi::OsString::from(".");
    // Names are at most 255 bytes; ours adds a dot and some more.
    if name.len() < 200 {
        prefix.push(name);
        prefix.push(".");
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temp = builder.tempfile_in(folder(path))?;
    if let Ok(old) = fs::symlink_metadata(path)
        && old.is_file()
    {
        temp.as_file().set_permissions(old.permissions())?;
    }
    Ok(temp)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn move_into_place(out: BufWriter<NamedTempFile>, path: &Path) -> io::Result<()> {
    let temp = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    // The new name must survive a power failure too. Some file systems cannot
    // do that for a folder; the content is safe either way.
    if let Ok(dir) = File::open(folder(path)) {
        let _ = dir.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn dir() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn write(path: &Path, text: &str) -> Result<(), OutputError> {
        let mut out = Output::open(Some(path))?;
        out.write_all(text.as_bytes()).map_err(|e| out.error(e))?;
        out.finish()
    }

    fn names(dir: &TempDir) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let dir = dir();
        let path = dir.path().join("out.csv");
        let mut out = Output::open(Some(&path)).unwrap();
        out.write_all(b"one").unwrap();
        out.flush().unwrap();
        assert!(!path.exists());
        out.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(&dir), ["out.csv"]);
    }

    #[test]
    fn a_dropped_output_leaves_the_old_file() {
        let dir = dir();
        let path = dir.path().join("out.csv");
        write(&path, "old").unwrap();
        let mut out = Output::open(Some(&path)).unwrap();
        out.write_all(&[b'x'; 200_000]).unwrap();
        drop(out);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(&dir), ["out.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_of_a_replaced_file_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = dir();
        let path = dir.path().join("out.csv");
        let ordinary = dir.path().join("ordinary");
        fs::write(&ordinary, "").unwrap();
        write(&path, "one").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), mode(&ordinary), "what the umask leaves");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write(&path, "two").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o640, b"two".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_its_target_kept() {
        let dir = dir();
        let target = dir.path().join("target");
        let link = dir.path().join("link");
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read(&link).unwrap(), b"new");
    }

    #[test]
    fn what_is_appended_is_there_at_once_and_stays() {
        let dir = dir();
        let path = dir.path().join("out.ndjson");
        for (text, blank) in [("one\n", true), ("two\n", false)] {
            let mut out = Output::append(Some(&path)).unwrap();
            assert_eq!(out.is_blank(), blank);
            out.write_all(text.as_bytes()).unwrap();
            out.flush().unwrap();
            assert!(fs::read_to_string(&path).unwrap().ends_with(text));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(names(&dir), ["out.ndjson"]);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_appended_through_a_link() {
        let dir = dir();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = Output::append(Some(&link)).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert_eq!(fs::read(&target).unwrap(), b"precious");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_and_never_replaced() {
        write(Path::new("/dev/null"), "gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let error = write(Path::new("/dev/full"), "x").unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
        assert!(is_special(Path::new("/dev/stdout")).unwrap());
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let dir = dir();
        let error = write(dir.path(), "x").unwrap_err();
        assert!(error.to_string().contains("it is a folder"), "{error}");
        let error = write(&dir.path().join("none/out"), "x").unwrap_err();
        assert!(matches!(error, OutputError::Create { .. }), "{error}");
        assert!(!error.is_closed_pipe());
        assert!(OutputError::Stdout(io::ErrorKind::BrokenPipe.into()).is_closed_pipe());
    }

    /// Needs the right to mount a small file system; says so where it is
    /// missing.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_old_file() {
        use std::process::{Command, Stdio};
        let dir = dir();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if !mount.is_ok_and(|s| s.success()) {
            eprintln!("skipped: needs the right to mount a tmpfs");
            return;
        }
        let result = std::panic::catch_unwind(|| {
            let path = dir.path().join("out.csv");
            write(&path, "old").unwrap();
            let error = write(&path, &"x".repeat(1 << 20)).unwrap_err();
            assert!(error.to_string().contains("what was there before is kept"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(&dir), ["out.csv"]);
        });
        let unmounted = Command::new("umount").arg("--lazy").arg(dir.path()).status();
        assert!(unmounted.unwrap().success());
        result.unwrap();
    }
}
