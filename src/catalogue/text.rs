//! The text of a catalogue, which every store and export has to have whole.
//!
//! Lists run to hundreds of megabytes and repeat themselves, so a long text is
//! kept compressed, in parts that are read one at a time.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Text in one part, about.
const PART: usize = 1 << 20;
/// Compression that costs less than reading the text does.
const LEVEL: i32 = 1;

/// A text in parts. Copies share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LongText {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(Arc<str>),
    /// A zstd frame, and how long its text is.
    Packed(Arc<[u8]>, usize),
}

impl LongText {
    /// Length of the text in bytes.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|p| p.len() as u64).sum()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|p| p.len() == 0)
    }

    /// Whether the text is short enough to be handled in one piece.
    pub fn is_short(&self) -> bool {
        self.len() <= PART as u64
    }

    /// Hands the text to `each` part by part, one after the other in memory.
    ///
    /// # Errors
    /// The first that `each` returns.
    pub fn each_part<E>(&self, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.parts.iter().try_for_each(|p| match p {
            Part::Plain(text) => each(text),
            Part::Packed(packed, len) => {
                let text = zstd::bulk::decompress(packed, *len).unwrap_or_default();
                each(std::str::from_utf8(&text).unwrap_or_default())
            }
        })
    }

    /// Writes the text.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.each_part(|part| out.write_all(part.as_bytes()))
    }

    /// The text in one piece.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let Ok(()) = self.each_part::<std::convert::Infallible>(|part| {
            out.push_str(part);
            Ok(())
        });
        out
    }

    /// The parts as zstd frames, with the lengths of their texts.
    pub fn packed(&self) -> impl Iterator<Item = (Vec<u8>, usize)> {
        self.parts.iter().map(|p| match p {
            Part::Packed(packed, len) => (packed.to_vec(), *len),
            Part::Plain(text) => (zstd::bulk::compress(text.as_bytes(), LEVEL).unwrap_or_default(), text.len()),
        })
    }

    /// A text that was written as a beginning, and parts with the lengths of
    /// their texts. A part that is none counts as empty, and the hash shows it.
    pub fn stored(beginning: &str, parts: Vec<(Vec<u8>, usize)>) -> LongText {
        let mut text = LongText::from(beginning);
        text.parts.extend(parts.into_iter().map(|(packed, len)| Part::Packed(packed.into(), len.min(2 * PART))));
        text
    }

    /// SHA-256 of the text in hexadecimal.
    pub fn sha256_hex(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let Ok(()) = self.each_part::<std::convert::Infallible>(|part| {
            context.update(part.as_bytes());
            Ok(())
        });
        context.finish().as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Several texts as one, each from the beginning of a line.
    pub(super) fn joined<'t>(texts: impl Iterator<Item = &'t LongText>) -> LongText {
        let mut out = LongText::default();
        for text in texts {
            let mut ends = true;
            if let Some(last) = out.parts.last() {
                let last = LongText { parts: vec![last.clone()] };
                ends = last.to_text().ends_with('\n');
            }
            if !ends {
                out.parts.push(Part::Plain("\n".into()));
            }
            out.parts.extend(text.parts.iter().cloned());
        }
        out
    }
}

impl From<&str> for LongText {
    fn from(text: &str) -> Self {
        if text.len() <= PART {
            let part = (!text.is_empty()).then(|| Part::Plain(text.into()));
            return LongText { parts: part.into_iter().collect() };
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(boundary(rest, PART));
            parts.push(Part::pack(part));
            rest = later;
        }
        LongText { parts }
    }
}

impl Part {
    fn pack(text: &str) -> Part {
        match zstd::bulk::compress(text.as_bytes(), LEVEL) {
            Ok(packed) => Part::Packed(packed.into(), text.len()),
            Err(_) => Part::Plain(text.into()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Part::Plain(text) => text.len(),
            Part::Packed(_, len) => *len,
        }
    }
}

/// Makes a text. All but a short one is compressed by a thread of its own,
/// beside whoever reads it.
#[derive(Debug, Default)]
pub(super) struct TextWriter {
    begun: String,
    packer: Option<Packer>,
}

#[derive(Debug)]
struct Packer {
    /// Texts of parts, two at most.
    texts: SyncSender<String>,
    thread: JoinHandle<Vec<Part>>,
}

impl Packer {
    /// `None` if there can be no thread.
    fn start() -> Option<Packer> {
        let (texts, waiting) = sync_channel::<String>(2);
        let pack = move || waiting.into_iter().map(|text| Part::pack(&text)).collect();
        let thread = std::thread::Builder::new().name("catalogue".into()).spawn(pack).ok()?;
        Some(Packer { texts, thread })
    }
}

impl TextWriter {
    /// Adds to the end. A text that is given at once becomes the same parts
    /// as one that comes piece by piece.
    pub fn push(&mut self, mut text: &str) -> io::Result<()> {
        while !text.is_empty() {
            let (now, later) = text.split_at(boundary(text, PART.saturating_sub(self.begun.len())));
            self.begun.push_str(now);
            text = later;
            // A character that no longer fits ends the part too.
            if !text.is_empty() {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// Hands the part that is full to the thread.
    fn pass_on(&mut self) -> io::Result<()> {
        let failed = || io::Error::other("its text cannot be compressed");
        let next = String::with_capacity(PART);
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => none.insert(Packer::start().ok_or_else(failed)?),
        };
        packer.texts.send(std::mem::replace(&mut self.begun, next)).map_err(|_| failed())
    }

    /// The text. What fits one part stays as it is.
    pub fn finish(mut self) -> io::Result<LongText> {
        if self.packer.is_some() {
            self.pass_on()?;
        }
        let Some(Packer { texts, thread }) = self.packer else {
            return Ok(LongText::from(self.begun.as_str()));
        };
        drop(texts);
        let parts = thread.join().map_err(|_| io::Error::other("its text cannot be compressed"))?;
        Ok(LongText { parts })
    }
}

/// The last place between characters that is no further than `most`.
fn boundary(text: &str, most: usize) -> usize {
    let mut at = most.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_small_and_comes_back() {
        let text = "exact = \"ä.example\"\n".repeat(400_000);
        let long = LongText::from(text.as_str());
        assert_eq!((long.len(), long.is_short()), (text.len() as u64, false));
        assert!(long.parts.len() > 5);
        let kept: usize =
            long.parts.iter().map(|p| if let Part::Packed(b, _) = p { b.len() } else { usize::MAX }).sum();
        assert!(kept < text.len() / 100);
        assert!(long.to_text() == text);
        let mut piecewise = TextWriter::default();
        text.split_inclusive('\n').for_each(|line| piecewise.push(line).unwrap());
        assert!(piecewise.finish().unwrap() == long);
        let mut short = TextWriter::default();
        short.push("x\n").unwrap();
        assert!(short.finish().unwrap() == LongText::from("x\n"));
    }

    #[test]
    fn a_short_text_is_kept_as_it_is() {
        let long = LongText::from("x\n");
        assert_eq!((long.to_text(), long.is_short(), long.is_empty()), ("x\n".to_owned(), true, false));
        assert!(LongText::default().is_empty() && LongText::from("") == LongText::default());
    }
}
