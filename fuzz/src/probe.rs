//! What every reader of a stream's start promises.

use spansight::protocol::Probe;

/// A place within the bytes to cut them at, given by the bytes themselves.
pub fn cut(data: &[u8]) -> usize {
    let sum = data.iter().fold(data.len(), |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(*b)));
    sum % (data.len() + 1)
}

/// The same from the whole as from a part, and no sooner than was said.
///
/// What a part settles stays settled: a message found in it is found in the
/// whole, and what it cannot be the whole cannot be. `More` asks for more than
/// there is, and before so much has come nothing is found.
pub fn grows<'a, T>(data: &'a [u8], mut read: impl FnMut(&'a [u8]) -> Probe<T>) -> Probe<T>
where
    T: PartialEq + std::fmt::Debug,
{
    let whole = read(data);
    if let Probe::More(n) = whole {
        assert!(n > data.len(), "asks for {n} of {}", data.len());
    }
    for at in [cut(data), data.len().saturating_sub(1)] {
        match read(&data[..at]) {
            Probe::More(n) => {
                assert!(n > at, "asks for {n} of {at}");
                assert!(data.len() >= n || !matches!(whole, Probe::Found(_)), "found before {n} bytes: {whole:?}");
            }
            part => assert_eq!(part, whole, "{at} bytes settle it"),
        }
    }
    whole
}
