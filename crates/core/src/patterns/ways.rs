//! Which directories may lead to something that is included: the others need not be walked at all.
//!
//! `/etc/ssh/*.pub` can be met in `/etc` and `/etc/ssh` only; `*.pub` can be met everywhere. Where a pattern does not say it
//! plainly, the answer is yes: that costs time and loses nothing.

use globset::{Candidate, GlobSet};

use super::{Collector, Parsed};
use crate::error::Result;

/// The directories above everything that some patterns match.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    /// Some pattern may match anywhere below a root.
    anywhere: bool,
    absolute: GlobSet,
    below_root: GlobSet,
}

impl Ways {
    /// Finds the ways of patterns, each with whether it ignores case.
    pub(super) fn new<'p>(patterns: impl Iterator<Item = (&'p str, bool)>) -> Result<Self> {
        let (mut anywhere, mut absolute, mut below_root) = (false, Collector::new(), Collector::new());
        for (pattern, ignore_case) in patterns {
            let Some(parsed) = Parsed::new(pattern).filter(|parsed| !parsed.rule.takes_back) else { continue };
            let (globs, start, parts) = match parsed.glob.strip_prefix('/') {
                Some(parts) => (&mut absolute, "/", parts),
                None => (&mut below_root, "", parsed.glob.as_str()),
            };
            let parts: Vec<&str> = parts.split('/').collect();
            let plain = parts.iter().take_while(|part| is_plain(part)).count();
            // The last part is what is meant, not a way to it.
            let ways = plain.min(parts.len() - 1);
            for end in 1..=ways {
                globs.add(pattern, &format!("{start}{}", parts[..end].join("/")), ignore_case)?;
            }
            if plain == parts.len() {
                continue;
            }
            match ways {
                0 => anywhere = true,
                ways => globs.add(pattern, &format!("{start}{}/**", parts[..ways].join("/")), ignore_case)?,
            }
        }
        Ok(Self { anywhere, absolute: absolute.build()?, below_root: below_root.build()? })
    }

    /// Tells whether something below a directory may match.
    pub(super) fn may_lead(&self, path: &[u8], below_root: &[u8]) -> bool {
        self.anywhere
            || self.absolute.is_match_candidate(&Candidate::from_bytes(path))
            || self.below_root.is_match_candidate(&Candidate::from_bytes(below_root))
    }
}

/// Tells whether a part of a glob stands for one name of a path: classes and alternatives may hold slashes.
fn is_plain(part: &str) -> bool {
    part != "**" && !part.contains(['[', '{', '\\'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::*, *};

    fn may_lead(include: &str, below: &str) -> bool {
        let ways = Ways::new(std::iter::once((include, false))).expect("ways");
        ways.may_lead(format!("/srv/{below}").as_bytes(), below.as_bytes())
    }

    #[test]
    fn only_the_way_to_a_plain_path_is_walked() {
        for pattern in ["/srv/a/b*/c", "a/b*/c"] {
            assert!(may_lead(pattern, "a") && may_lead(pattern, "a/bcd"), "{pattern}");
            assert!(!may_lead(pattern, "b") && !may_lead(pattern, "a/c") && !may_lead(pattern, "a/b/c"), "{pattern}");
        }
    }

    #[test]
    fn what_may_be_anywhere_leads_everywhere() {
        assert!(["*.txt", "**/a/b", "{a,b/c}/d", "[a/]b/c"].iter().all(|pattern| may_lead(pattern, "x/y")));
        assert!(may_lead("a/**/b", "a") && may_lead("a/**/b", "a/x/y") && !may_lead("a/**/b", "x"));
    }

    #[test]
    fn what_is_taken_back_leads_nowhere() {
        assert!(!may_lead("!*.txt", "x"));
    }

    proptest! {
        /// A directory above something that is included is never passed by.
        #[test]
        fn every_directory_above_a_match_leads_to_it(
            pattern in "/?([ab*?]|\\*\\*|\\[ab\\]|\\{a,b\\}|\\\\a)(/([ab*?]|\\*\\*|\\[a/\\]|\\\\b)){0,3}/?",
            path in proptest::collection::vec("[ab]{1,2}", 1..5),
        ) {
            if let Ok(patterns) = Patterns::new(&[] as &[&str], &[&pattern]) {
                let whole = format!("/{}", path.join("/"));
                for root in 0..path.len() {
                    let below = path[root..].join("/");
                    if patterns.choose(whole.as_bytes(), below.as_bytes(), true) != Choice::Wanted {
                        continue;
                    }
                    for end in root + 1..path.len() {
                        let (above, above_below) = (format!("/{}", path[..end].join("/")), path[root..end].join("/"));
                        let leads = patterns.may_lead(above.as_bytes(), above_below.as_bytes());
                        prop_assert!(leads, "{pattern} matches {whole}, which lies in {above}");
                    }
                }
            }
        }
    }
}
