//! Which directories may lead to something that is included: the others need not be walked at all.
//!
//! `/etc/ssh/*.pub` can be met in `/etc` and `/etc/ssh` only; `*.pub` can be met everywhere. Behind a `**` the answer is
//! yes: that costs time and loses nothing.

use std::collections::{HashMap, HashSet};

use super::{
    glob::Glob,
    line::{Place, Rule},
    name::fold,
};

/// The directories above everything that some patterns match.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    /// Some pattern may match anywhere below a root.
    anywhere: bool,
    /// Some absolute pattern may match anywhere.
    absolute_anywhere: bool,
    exact: WaysOfCase,
    any_case: WaysOfCase,
}

#[derive(Clone, Debug, Default)]
struct WaysOfCase {
    absolute: WaysBelow,
    below_root: WaysBelow,
}

/// The ways to paths of one kind.
#[derive(Clone, Debug, Default)]
struct WaysBelow {
    /// Directories that plainly are on one.
    plain: HashSet<Vec<u8>>,
    /// Globs that leave a choice, by the path up to there.
    globs: HashMap<Vec<u8>, Vec<Glob>>,
}

impl Ways {
    /// Finds the ways of rules.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut ways = Self::default();
        for rule in rules.iter().filter(|rule| !rule.takes_back) {
            let of_case = if rule.any_case { &mut ways.any_case } else { &mut ways.exact };
            match (rule.place, rule.glob.begins_anywhere()) {
                (Place::Absolute, true) => ways.absolute_anywhere = true,
                (Place::Absolute, false) => of_case.absolute.add(&rule.glob),
                (Place::BelowRoot, false) => of_case.below_root.add(&rule.glob),
                (Place::BelowRoot | Place::Anywhere, _) => ways.anywhere = true,
            }
        }
        ways
    }

    /// Tells whether something below a directory may match.
    pub(super) fn may_lead(&self, path: &[u8], below_root: &[u8]) -> bool {
        let absolute = path.strip_prefix(b"/");
        if self.anywhere || self.absolute_anywhere && absolute.is_some() {
            return true;
        }
        let leads = |ways: &WaysBelow, path: &[u8]| ways.may_lead(path);
        leads(&self.exact.below_root, below_root)
            || absolute.is_some_and(|path| leads(&self.exact.absolute, path))
            || self.any_case.below_root.is_any() && leads(&self.any_case.below_root, &fold(below_root))
            || self.any_case.absolute.is_any()
                && absolute.is_some_and(|path| leads(&self.any_case.absolute, &fold(path)))
    }
}

impl WaysBelow {
    fn is_any(&self) -> bool {
        !self.plain.is_empty() || !self.globs.is_empty()
    }

    fn add(&mut self, glob: &Glob) {
        let mut names = glob.literal_names();
        let above = glob.names_above();
        let is_plain = names.len() >= above && !glob.has_any_directories();
        names.truncate(above);
        for end in 1..=names.len() {
            self.plain.extend(names.get(..end).map(|names| names.join(&b'/')));
        }
        if !is_plain {
            self.globs.entry(names.join(&b'/')).or_default().push(glob.clone());
        }
    }

    fn may_lead(&self, path: &[u8]) -> bool {
        if self.plain.contains(path) {
            return true;
        }
        if self.globs.is_empty() {
            return false;
        }
        let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(place, _)| place);
        let mut fronts = std::iter::once(0).chain(slashes).chain(std::iter::once(path.len()));
        fronts.any(|end| {
            let globs = path.get(..end).and_then(|front| self.globs.get(front));
            globs.is_some_and(|globs| globs.iter().any(|glob| glob.may_match_below(path)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::*, *};

    fn may_lead(include: &str, below: &str) -> bool {
        let patterns = Patterns::new(&[] as &[&str], &[include]).expect("patterns");
        patterns.may_lead(format!("/srv/{below}").as_bytes(), below.as_bytes())
    }

    #[test]
    fn only_the_way_to_a_plain_path_is_walked() {
        for pattern in ["/srv/a/b*/c", "a/b*/c", "a/[b]*/c/", "a/b*\\/c"] {
            assert!(may_lead(pattern, "a") && may_lead(pattern, "a/bcd"), "{pattern}");
            assert!(!may_lead(pattern, "b") && !may_lead(pattern, "a/c") && !may_lead(pattern, "a/b/c"), "{pattern}");
        }
        assert!(may_lead("*/b/c", "x") && may_lead("*/b/c", "x/b") && !may_lead("*/b/c", "x/c"));
    }

    #[test]
    fn what_may_be_anywhere_leads_everywhere() {
        assert!(["*.txt", "**/a/b", "a", "/**/b"].iter().all(|pattern| may_lead(pattern, "x/y")));
        assert!(may_lead("a/**/b", "a") && may_lead("a/**/b", "a/x/y") && !may_lead("a/**/b", "x"));
        assert!(may_lead("/srv/**", "x") && !may_lead("/sr/**", "x"));
    }

    #[test]
    fn what_is_taken_back_leads_nowhere() {
        assert!(!Ways::new(&[Rule::parse(b"!*.txt", false).expect("a rule").expect("one")]).may_lead(b"/x", b"x"));
    }

    #[test]
    fn any_case_leads_by_any_case() {
        let none: &[&str] = &[];
        let patterns = Patterns::with_case(none, none, none, &["SRV/Ä/*", "/SRV/b/c"]).expect("patterns");
        assert!(patterns.may_lead("/x/srv/ä".as_bytes(), "srv/ä".as_bytes()) && patterns.may_lead(b"/srv/B", b"B"));
        assert!(!patterns.may_lead(b"/x/srv/a", b"srv/a"));
    }

    proptest! {
        /// A directory above something that is included is never passed by.
        #[test]
        fn every_directory_above_a_match_leads_to_it(
            pattern in "/?([abA*?]|\\*\\*|\\[ab\\]|\\\\a)(\\\\?/([ab*?]|\\*\\*|\\[a/\\]|\\\\b)){0,3}/?",
            path in proptest::collection::vec("[ab]{1,2}", 1..5),
            any_case: bool,
        ) {
            let (exact, folded): (&[&str], &[&str]) = if any_case { (&[], &[&pattern]) } else { (&[&pattern], &[]) };
            if let Ok(patterns) = Patterns::with_case(&[] as &[&str], &[] as &[&str], exact, folded) {
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
