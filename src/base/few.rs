//! Sentences of which there may be without end.

/// The first of many sentences, and how many more there are: what is said of
/// something that others wrote must not be as long as that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Few<const MOST: usize> {
    /// The first, in their order.
    pub first: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

impl<const MOST: usize> Few<MOST> {
    /// Adds one.
    pub fn push(&mut self, what: String) {
        self.push_with(|| what);
    }

    /// Adds one, which is made only if it is kept.
    pub fn push_with(&mut self, what: impl FnOnce() -> String) {
        if self.first.len() < MOST {
            self.first.push(what());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Adds many.
    pub fn extend(&mut self, all: impl IntoIterator<Item = String>) {
        all.into_iter().for_each(|what| self.push(what));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.first.len() as u64).saturating_add(self.more)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted() {
        let mut few = Few::<2>::default();
        assert!(few.is_empty());
        few.extend(["a", "b", "c"].map(str::to_owned));
        few.push_with(|| unreachable!());
        assert_eq!(few.first, ["a", "b"]);
        assert_eq!((few.more, few.count(), few.is_empty()), (2, 4, false));
    }
}
