//! What can be asked of a backend.

/// An operation of [`Backend`](lbak_core::backend::Backend). `describe` is none: it can not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named for the method")]
pub enum Operation {
    Put,
    Get,
    GetRange,
    List,
    Remove,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 5] = [Self::Put, Self::Get, Self::GetRange, Self::List, Self::Remove];

    /// Tells whether it changes the store.
    #[must_use]
    pub fn is_change(self) -> bool {
        matches!(self, Self::Put | Self::Remove)
    }
}
