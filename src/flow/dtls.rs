//! The ClientHello of a DTLS client, put together from its fragments.

use crate::base::assembler::Assembler;
use crate::protocol::dtls::{self, CLIENT_HELLO, Fragment};

/// What a head costs beside the bytes of its message.
const HEAD: usize = 256;

/// The message that is being put together.
#[derive(Debug)]
pub(super) struct Head {
    seq: u16,
    len: usize,
    message: Assembler,
    conflict: bool,
}

impl Head {
    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.message.held().saturating_add(HEAD)
    }

    /// Whether repeated bytes differed.
    pub(super) fn conflict(&self) -> bool {
        self.conflict
    }

    /// The body of the message, if it is whole.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        Some(self.message.contiguous()).filter(|m| m.len() >= self.len)
    }

    /// Adds what a datagram holds of a ClientHello; a message with another
    /// number takes the place of the one before. `None` where there is none.
    pub(super) fn take(head: Option<Box<Head>>, datagram: &[u8]) -> Option<Box<Head>> {
        let mut head = head;
        for f in dtls::fragments(datagram).filter(|f| f.kind == CLIENT_HELLO) {
            let mut current = match head.take() {
                Some(h) if (h.seq, h.len) == (f.seq, f.len) => h,
                _ => Head::new(&f),
            };
            let done = current.message.insert(f.offset, f.bytes);
            current.conflict |= done.conflict;
            let whole = current.whole().is_some();
            head = Some(current);
            if whole {
                break;
            }
        }
        head
    }

    fn new(f: &Fragment<'_>) -> Box<Self> {
        Box::new(Head { seq: f.seq, len: f.len, message: Assembler::new(f.len), conflict: false })
    }
}
