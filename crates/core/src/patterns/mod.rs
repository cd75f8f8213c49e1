//! Which names are wanted: patterns as `.gitignore` writes them.
//!
//! ```
//! use lbak_core::patterns::{Choice, Patterns};
//!
//! let patterns = Patterns::new(&["*.tmp", "/srv/data/cache/", "!keep.tmp"], &[] as &[&str])?;
//! assert_eq!(patterns.choose(b"/srv/data/a.tmp", b"a.tmp", false), Choice::Excluded);
//! assert_eq!(patterns.choose(b"/srv/data/keep.tmp", b"keep.tmp", false), Choice::Wanted);
//! assert_eq!(patterns.choose(b"/srv/data/cache", b"cache", true), Choice::Excluded);
//! # Ok::<(), lbak_core::error::Error>(())
//! ```
//!
//! A pattern without a slash matches a name anywhere; one that begins with a slash is an absolute path of the source;
//! one with a slash inside is a path below a root, as if the pattern stood in a `.gitignore` of that root. A slash at
//! the end matches directories only; `*` and `?` stop at slashes, `**` between slashes does not; `[a-z]`, `[!a-z]` and `[[:alpha:]]` are
//! one byte, never a slash; `!` takes back what an earlier pattern excluded; `#` begins a comment; `\` takes a character as it is;
//! blanks at the end do not count. Braces mean nothing. Names and patterns are bytes, and need not be UTF-8.
//!
//! It is meant to be what [gitignore(5)](https://git-scm.com/docs/gitignore) says, and is compared with git itself in a test. It is
//! otherwise on purpose where
//! - a slash at the front makes an absolute path, for there may be several roots;
//! - `a**/b` is `a*/b`, as the manual says: git itself takes two stars behind plain bytes for any directories;
//! - a pattern that can match nothing is an error, where git passes over it: an unclosed `[`, a `\` at the end, `a//b`, `./a`.
//!
//! Nothing here reads a disk. What lies below an excluded directory is not asked about: whoever walks does not enter it, and so
//! nothing below can be taken back. No pattern takes long, whatever it is: at most its length times that of the path.

mod class;

mod name;

mod glob;

mod line;

mod rules;

mod tally;

mod ways;

#[cfg(test)]
mod tests;

use std::fmt;

pub use self::{
    line::lines,
    tally::{Matched, PatternCount, PatternRole, Tally},
};
use self::{rules::Rules, ways::Ways};
use crate::error::{Result, escape};

/// What is to be done with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Take it. What lies below a directory is wanted too, unless it is excluded.
    Wanted,
    /// A directory that is only entered, for something below may be wanted; any other name is not wanted.
    OnTheWay,
    /// Leave it, and all that is below.
    Excluded,
}

/// Patterns of what to leave out, and of what alone to take.
#[derive(Clone, Default)]
pub struct Patterns {
    excluded: Rules,
    included: Rules,
    ways: Ways,
}

impl Patterns {
    /// Compiles patterns. What matches `exclude` is left out; where `include` has any pattern, only what matches one of
    /// them is taken, with all that is below it.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::error::Error::Invalid) with a pattern that can match nothing.
    pub fn new<E: AsRef<[u8]>, I: AsRef<[u8]>>(exclude: &[E], include: &[I]) -> Result<Self> {
        Self::with_case(exclude, &[] as &[&[u8]], include, &[] as &[&[u8]])
    }

    /// The same with more patterns of each kind that do not tell upper case from lower case; they count as the later ones.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::error::Error::Invalid) with a pattern that can match nothing.
    pub fn with_case<E: AsRef<[u8]>, X: AsRef<[u8]>, I: AsRef<[u8]>, J: AsRef<[u8]>>(
        exclude: &[E],
        exclude_any_case: &[X],
        include: &[I],
        include_any_case: &[J],
    ) -> Result<Self> {
        let excluded = Rules::new(in_order(exclude, exclude_any_case))?;
        let included = Rules::new(in_order(include, include_any_case))?;
        let ways = Ways::new(&included.rules);
        Ok(Self { excluded, included, ways })
    }

    /// Tells whether everything is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.excluded.is_empty() && self.included.is_empty()
    }

    /// Tells whether only what matches some pattern is wanted.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        !self.included.is_empty()
    }

    /// Chooses for a name whose directory was not excluded. `path` is its absolute path, `below_root` the same from the
    /// root of the source on, without a slash at the front.
    ///
    /// Below a directory that was [`Choice::Wanted`] everything is but what [`Patterns::is_excluded`].
    #[must_use]
    pub fn choose(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> Choice {
        self.choice(&self.matched(path, below_root, is_directory))
    }

    /// The same of what was found to match.
    #[must_use]
    pub fn choice(&self, matched: &Matched) -> Choice {
        match (matched.is_excluded, matched.is_included) {
            (true, _) => Choice::Excluded,
            (false, true) => Choice::Wanted,
            (false, false) => Choice::OnTheWay,
        }
    }

    /// Finds what matches a name: for whoever wants to count it with a [`Tally`].
    #[must_use]
    pub fn matched(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> Matched {
        let excluded = self.excluded.matches(path, below_root, is_directory);
        let mut matched = self.matched_by_includes(path, below_root, is_directory);
        matched.is_excluded = self.excluded.decide(&excluded);
        matched.patterns.extend(excluded);
        matched
    }

    /// The same by patterns of what alone to take, for what is shown whatever is to be left out.
    pub(crate) fn matched_by_includes(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> Matched {
        let included = self.included.matches(path, below_root, is_directory);
        let is_included = !self.is_selective() || self.included.decide(&included);
        let patterns = included.iter().map(|number| self.excluded.rules.len() + number).collect();
        Matched { is_excluded: false, is_included, patterns }
    }

    /// How many names each pattern has matched, in the order of the patterns, those of what to leave out first.
    #[must_use]
    pub fn counts(&self, tally: &Tally) -> Vec<PatternCount> {
        let roles = [(&self.excluded, PatternRole::Exclude), (&self.included, PatternRole::Include)];
        let rules = roles.into_iter().flat_map(|(rules, role)| rules.rules.iter().map(move |rule| (rule, role)));
        let counts = rules.enumerate().map(|(number, (rule, role))| PatternCount {
            pattern: rule.pattern.clone(),
            role,
            any_case: rule.any_case,
            matches: tally.of(number),
        });
        counts.collect()
    }

    /// Tells whether something below a directory that is only on the way may be wanted. Where it can not, nobody needs to look.
    #[must_use]
    pub fn may_lead(&self, path: &[u8], below_root: &[u8]) -> bool {
        !self.is_selective() || self.ways.may_lead(path, below_root)
    }

    /// Tells whether a name matches a pattern of what alone to take, and everything is wanted where there is none.
    #[must_use]
    pub fn is_included(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> bool {
        !self.is_selective() || self.included.decide(&self.included.matches(path, below_root, is_directory))
    }

    /// Tells whether a name is to be left out.
    #[must_use]
    pub fn is_excluded(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> bool {
        self.excluded.decide(&self.excluded.matches(path, below_root, is_directory))
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |rules: &Rules| rules.rules.iter().map(|rule| escape(&rule.pattern)).collect::<Vec<_>>();
        f.debug_struct("Patterns")
            .field("exclude", &texts(&self.excluded))
            .field("include", &texts(&self.included))
            .finish_non_exhaustive()
    }
}

/// All patterns of a kind with whether they ignore case, in the order in which they count.
fn in_order<'p>(
    exact: &'p [impl AsRef<[u8]>],
    any_case: &'p [impl AsRef<[u8]>],
) -> impl Iterator<Item = (&'p [u8], bool)> {
    let exact = exact.iter().map(|pattern| (pattern.as_ref(), false));
    exact.chain(any_case.iter().map(|pattern| (pattern.as_ref(), true)))
}
