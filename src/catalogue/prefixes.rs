//! Which of many keys does a text begin with?

/// A key: a part of `bytes`.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    len: u8,
    value: u32,
}

/// Keys of at most 255 bytes, each with a value, sorted.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Prefixes {
    /// Adds a key. `None` if there is no room. Nothing is found before
    /// [`Prefixes::sort`].
    pub fn add(&mut self, key: &[u8], value: u32) -> Option<()> {
        let at = u32::try_from(self.bytes.len()).ok()?;
        let len = u8::try_from(key.len()).ok()?;
        self.bytes.extend_from_slice(key);
        self.entries.push(Entry { at, len, value });
        Some(())
    }

    /// Makes the keys ready; equal ones keep their order.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        self.entries.sort_by(|a, b| key(bytes, a).cmp(key(bytes, b)));
        self.bytes.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// Calls `found` for the value of every key that `text` begins with: the
    /// longest keys first, equal ones in the order in which they were added.
    ///
    /// Keys that are no shorter than `shortest` bytes are found; a search takes
    /// time by the length of the text, and hardly more for more keys.
    pub fn each(&self, text: &[u8], shortest: usize, mut found: impl FnMut(u32)) {
        let mut text = text.get(..text.len().min(255)).unwrap_or_default();
        while text.len() >= shortest {
            // The last key that is not behind the text: no other key that the
            // text begins with lies between the two.
            let after = self.entries.partition_point(|e| key(&self.bytes, e) <= text);
            let Some(last) = after.checked_sub(1).and_then(|at| self.entries.get(at)) else { return };
            let nearest = key(&self.bytes, last);
            let common = nearest.iter().zip(text).take_while(|(a, b)| a == b).count();
            if common < nearest.len() {
                text = text.get(..common).unwrap_or_default();
                continue;
            }
            let before = self.entries.get(..after).unwrap_or_default();
            let equal = before.iter().rev().take_while(|e| key(&self.bytes, e) == nearest).count();
            before.iter().skip(after - equal).for_each(|e| found(e.value));
            match common.checked_sub(1) {
                Some(len) => text = text.get(..len).unwrap_or_default(),
                None => return,
            }
        }
    }
}

fn key<'a>(bytes: &'a [u8], entry: &Entry) -> &'a [u8] {
    let start = entry.at as usize;
    bytes.get(start..start + usize::from(entry.len)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(keys: &[String], text: &str, shortest: usize) -> Vec<u32> {
        let mut all = Prefixes::default();
        for (key, value) in keys.iter().zip(0..) {
            all.add(key.as_bytes(), value).unwrap();
        }
        all.sort();
        let mut out = Vec::new();
        all.each(text.as_bytes(), shortest, |v| out.push(v));
        out
    }

    #[test]
    fn the_longest_first_and_equal_ones_in_order() {
        let keys = ["a", "abc", "ab", "abd", "abc", ""].map(str::to_owned);
        assert_eq!(found(&keys, "abcx", 0), [1, 4, 2, 0, 5]);
        assert_eq!(found(&keys, "abcx", 2), [1, 4, 2]);
        assert_eq!(found(&keys, "b", 0), [5]);
        assert_eq!(found(&[], "b", 0), [0; 0]);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_scan_finds(keys in prop::collection::vec("[ab]{0,5}", 0..40), text in "[ab]{0,7}") {
            let mut scan: Vec<u32> = (0u32..).zip(&keys).filter(|(_, k)| text.starts_with(*k)).map(|(v, _)| v).collect();
            scan.sort_by_key(|v| std::cmp::Reverse(keys[*v as usize].len()));
            prop_assert_eq!(found(&keys, &text, 0), scan);
        }
    }
}
