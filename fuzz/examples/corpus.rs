//! Moves inputs between folders and the saved corpus.
//!
//! usage: corpus seeds SAMPLES FOLDER    inputs for every target from captures
//!        corpus unpack FILE FOLDER
//!        corpus pack FOLDER FILE        inputs of at most 16 KiB, shortest first

use spansight::base::Timestamp;
use spansight::capture::{Batch, OpenOptions, Status, open};
use spansight::packet::{Decoder, Options};
use spansight_fuzz::corpus;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Longest input that is kept.
const MAX_INPUT: usize = 16 << 10;

/// Most inputs and bytes that a saved corpus holds.
const MAX_INPUTS: usize = 600;
const MAX_BYTES: usize = 512 << 10;

/// Targets whose inputs are messages or streams.
const MESSAGES: [&str; 6] = ["dns", "tls_client", "tls_server", "quic", "http", "chopped"];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["seeds", samples, folder] => seeds(Path::new(samples), Path::new(folder)),
        ["unpack", file, folder] => save(Path::new(folder), corpus::read(Path::new(file))?),
        ["pack", folder, file] => pack(Path::new(folder), Path::new(file)),
        _ => {
            eprintln!("usage: corpus seeds SAMPLES FOLDER | unpack FILE FOLDER | pack FOLDER FILE");
            std::process::exit(2);
        }
    }
}

/// Files of a folder, in order of name.
fn files(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.sort();
    paths.iter().filter(|p| p.is_file()).map(std::fs::read).collect()
}

fn save(folder: &Path, inputs: Vec<Vec<u8>>) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (n, input) in inputs.iter().enumerate() {
        std::fs::write(folder.join(format!("saved-{n:05}")), input)?;
    }
    Ok(())
}

fn pack(folder: &Path, file: &Path) -> io::Result<()> {
    let mut inputs = files(folder)?;
    inputs.retain(|i| i.len() <= MAX_INPUT);
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    let mut room = MAX_BYTES;
    inputs.truncate(MAX_INPUTS);
    inputs.retain(|i| {
        let fits = i.len() <= room;
        room -= if fits { i.len() } else { 0 };
        fits
    });
    corpus::write(file, &inputs)
}

/// Frames, payloads and files of the captures in a folder, for the targets
/// that read such.
fn seeds(samples: &Path, folder: &Path) -> io::Result<()> {
    let (mut payloads, mut frames, mut whole) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for content in files(samples)? {
        let path = folder.join("seed");
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, &content)?;
        if let Ok(source) = open(&path, &OpenOptions::default()) {
            read(source, &mut payloads, &mut frames);
            whole.push(content);
        }
        std::fs::remove_file(&path)?;
    }
    for target in MESSAGES {
        let head: &[u8] = if target == "chopped" { &[0, 40, 1, 2, 3, 4] } else { &[] };
        save(&folder.join(target), payloads.iter().map(|p| [head, p].concat()).collect())?;
    }
    save(&folder.join("packet"), frames.into_iter().collect())?;
    save(&folder.join("segments"), payloads.iter().map(|p| segment(p)).collect())?;
    whole.iter_mut().for_each(|f| f.truncate(MAX_INPUT));
    let magic = |f: &[u8], m: [u8; 4]| f.starts_with(&m).then(|| f[4..].to_vec());
    save(&folder.join("pcap"), whole.iter().filter_map(|f| magic(f, [0xd4, 0xc3, 0xb2, 0xa1])).collect())?;
    save(&folder.join("pcapng"), whole.iter().filter_map(|f| magic(f, [10, 13, 13, 10])).collect())?;
    let squeezed = whole.iter().map(|f| zstd::encode_all(f.as_slice(), 3)).collect::<io::Result<Vec<_>>>()?;
    save(&folder.join("compressed"), squeezed)?;
    save(&folder.join("pipeline"), whole)
}

/// A payload as one segment from a client, for the target `segments`.
fn segment(payload: &[u8]) -> Vec<u8> {
    let length = payload.len().min(0x7ff);
    let mut input = vec![0x40, (length >> 8) as u8, length as u8, 0, 0, 1];
    input.extend_from_slice(&payload[..length]);
    input
}

fn read(
    mut source: Box<dyn spansight::capture::FrameSource>,
    payloads: &mut BTreeSet<Vec<u8>>,
    frames: &mut BTreeSet<Vec<u8>>,
) {
    let mut batch = Batch::default();
    let mut decoder = Decoder::new(Options::default());
    while let Ok(status) = source.next_batch(&mut batch) {
        if status == Status::End {
            break;
        }
        for meta in &batch.frames {
            let bytes = batch.bytes(meta);
            let link = batch.interfaces[usize::from(meta.interface)].link;
            let supported = (0..=300).map(spansight::capture::LinkType).filter(|l| Decoder::supports(*l));
            let index = supported.take_while(|l| *l != link).count() as u8;
            let short = &bytes[..bytes.len().min(600)];
            let mut frame = vec![index, 0, (short.len() >> 8) as u8, short.len() as u8];
            frame.extend_from_slice(short);
            frames.insert(frame);
            if let Ok(p) = decoder.decode(link, bytes, meta.orig_len, 0, Timestamp(0)) {
                let start = p.payload_offset as usize;
                if !p.in_arena && p.payload_len > 0 {
                    payloads.insert(bytes[start..start + p.payload_len as usize].to_vec());
                }
            }
        }
    }
}
