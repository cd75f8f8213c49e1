//! Why a directory is left alone where deleting was asked for.

/// Why nothing is deleted in a directory although that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spared {
    /// Something in it could not be restored: any of the rest may be the last copy of that.
    NotRestored,
    /// Nobody knows what was in it.
    Unread,
    /// Names in it were lost to damage.
    Lost,
    /// Names were left out of it, which may have been there.
    LeftOut,
}

impl Spared {
    /// The same for people.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::NotRestored => "not everything in it could be restored: nothing is deleted in it",
            Self::Unread => "it could not be read when the snapshot was taken: nothing is deleted in it",
            Self::Lost => "names in it were lost to damage before this snapshot was made: nothing is deleted in it",
            Self::LeftOut => {
                "names were left out of it by choice when the snapshot was taken, and may be these: nothing is deleted in it"
            }
        }
    }
}
