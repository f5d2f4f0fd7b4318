//! What every reader of a stream's start promises.

use spansight::protocol::Probe;

/// A place to cut bytes at, given by the bytes themselves: behind the first at
/// the least, since nobody asks before that has come.
pub fn cut(data: &[u8]) -> usize {
    let sum = data.iter().fold(data.len(), |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(*b)));
    if data.is_empty() { 0 } else { 1 + sum % data.len() }
}

/// What a part settles stays settled: a message found in it is found in the
/// whole, and what it cannot be the whole cannot be. `More` asks for more than
/// there is.
pub fn settles<'a, T>(data: &'a [u8], mut read: impl FnMut(&'a [u8]) -> Probe<T>) -> Probe<T>
where
    T: PartialEq + std::fmt::Debug,
{
    let whole = read(data);
    if let Probe::More(n) = whole {
        assert!(n > data.len(), "asks for {n} of {}", data.len());
    }
    for at in [cut(data), data.len() - usize::from(data.len() > 1)] {
        match read(&data[..at]) {
            Probe::More(n) => assert!(n > at, "asks for {n} of {at}"),
            part => assert_eq!(part, whole, "{at} bytes settle it"),
        }
    }
    whole
}

/// As [`settles`], and nothing is found before so much has come as was asked
/// for.
pub fn grows<'a, T>(data: &'a [u8], mut read: impl FnMut(&'a [u8]) -> Probe<T>) -> Probe<T>
where
    T: PartialEq + std::fmt::Debug,
{
    let asked = match read(&data[..cut(data)]) {
        Probe::More(n) => n,
        _ => 0,
    };
    let whole = settles(data, read);
    assert!(data.len() >= asked || !matches!(whole, Probe::Found(_)), "found before {asked} bytes: {whole:?}");
    whole
}
