//! How deep a verification goes, and which part of the packs it reads.

use std::{str::FromStr, sync::Arc, time::Duration};

use lbak_core::{
    error::{Error, Result},
    id::PackId,
    observe::{Cancellation, Observer, Silent},
};

/// How a repository is verified.
#[derive(Clone)]
pub struct VerifyOptions {
    /// How deep to look; means nothing without a key.
    pub depth: Depth,
    /// Read in turns, those that were unread longest first, and remember in the repository what was read: means nothing without
    /// [`Depth::ReadData`].
    pub steady: Option<Steady>,
    /// Hears of progress and damage.
    pub observer: Arc<dyn Observer>,
    /// Stops it.
    pub cancellation: Cancellation,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            depth: Depth::default(),
            steady: None,
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
        }
    }
}

impl std::fmt::Debug for VerifyOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyOptions").field("depth", &self.depth).finish_non_exhaustive()
    }
}

/// How much is read at a time, when everything is to be read now and then.
///
/// Nothing is locked: several may read at the same time, beside backups. A turn always reads at least one pack that is due and sound, whatever
/// the limits: so everything is read in the end. What is found damaged does not count, as it is read again in every turn; packs that a repair
/// has marked as damaged come last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steady {
    /// Packs that were read within this time are not read again. Without it those that were unread longest are read, whenever that was.
    pub max_age: Option<Duration>,
    /// After so much time no other pack is begun. Time that went into packs which are found damaged is added, up to as much again.
    pub max_time: Option<Duration>,
    /// No pack is begun that would bring what is read over this; the first always is, and what is found damaged is not counted.
    pub max_bytes: Option<u64>,
    /// Who reads, for people.
    pub by: String,
}

/// How deep a verification looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Depth {
    /// Everything is where the index says and as long as it should be; every tree opens. Data is not read.
    #[default]
    Structure,
    /// And packs are read: every block is opened and every chunk hashed.
    ReadData {
        /// Which packs.
        share: Share,
    },
}

/// Which packs are read. Which ones follows from their names alone, so that every run reads the same ones.
///
/// ```
/// use lbak_verify::Share;
///
/// assert_eq!("3/7".parse::<Share>()?, Share::Part { part: 3, of: 7 });
/// assert_eq!("2.5%".parse::<Share>()?, Share::Percent(2.5));
/// assert_eq!("all".parse::<Share>()?, Share::All);
/// # Ok::<(), lbak_core::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Share {
    /// All of them.
    #[default]
    All,
    /// One of several parts of about equal size: whoever takes them in turn has read everything.
    Part {
        /// Which part, from 1 on.
        part: u32,
        /// How many parts there are.
        of: u32,
    },
    /// About so many of a hundred packs, always the same ones; those of a smaller percentage are among them.
    Percent(f64),
}

impl Share {
    /// Tells whether a pack belongs to it.
    #[must_use]
    pub fn contains(&self, pack: &PackId) -> bool {
        let prefix = u64::from_be_bytes(*pack.0.first_chunk().expect("an id has 32 bytes"));
        match *self {
            Self::All => true,
            Self::Part { part, of } => (u128::from(prefix) * u128::from(of)) >> 64 == u128::from(part.wrapping_sub(1)),
            // 2^64 as a float: the names of packs are spread evenly below it.
            Self::Percent(percent) => {
                (prefix as f64) < percent / 100.0 * 18_446_744_073_709_551_616.0 || percent >= 100.0
            }
        }
    }

    /// Refuses what no pack, or no sense, belongs to.
    pub(crate) fn check(&self) -> Result<()> {
        let is_sane = match *self {
            Self::All => true,
            Self::Part { part, of } => (1..=of).contains(&part),
            Self::Percent(percent) => percent > 0.0 && percent <= 100.0,
        };
        if is_sane { Ok(()) } else { Err(Error::Invalid { what: format!("{self:?} is no share of the packs") }) }
    }
}

impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::Invalid { what: format!("\"{text}\" is no share: \"all\", \"1/7\" or \"5%\"") };
        let share = if text == "all" {
            Self::All
        } else if let Some(percent) = text.strip_suffix('%') {
            Self::Percent(percent.parse().map_err(|_| invalid())?)
        } else {
            let (part, of) = text.split_once('/').ok_or_else(invalid)?;
            Self::Part { part: part.parse().map_err(|_| invalid())?, of: of.parse().map_err(|_| invalid())? }
        };
        share.check().map_err(|_| invalid())?;
        Ok(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(number: u32) -> PackId {
        PackId(*blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    #[test]
    fn parts_are_disjoint_and_cover_everything() {
        for number in 0..500 {
            let parts = (1..=7).filter(|&part| Share::Part { part, of: 7 }.contains(&pack(number)));
            assert_eq!(parts.count(), 1);
        }
        for edge in [PackId([0; 32]), PackId([0xff; 32])] {
            assert_eq!((1..=3).filter(|&part| Share::Part { part, of: 3 }.contains(&edge)).count(), 1);
            assert!(Share::Percent(100.0).contains(&edge));
        }
    }

    #[test]
    fn a_larger_percentage_contains_a_smaller_one() {
        let of =
            |percent| (0..1000).filter(|&number| Share::Percent(percent).contains(&pack(number))).collect::<Vec<_>>();
        assert!((60..140).contains(&of(10.0).len()));
        assert!(of(10.0).iter().all(|number| of(40.0).contains(number)));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", "0/3", "4/3", "1/0", "0%", "101%", "NaN%", "-1%", "1/2/3", "half", "%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
