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
//! the end matches directories only; `*` and `?` stop at slashes, `**` does not; `!` takes back what an earlier pattern excluded;
//! `#` begins a comment; `\` takes a character as it is. What is not UTF-8 is matched byte by byte by `*` and `?`.
//!
//! Nothing here reads a disk. What lies below an excluded directory is not asked about: whoever walks does not enter it, and so
//! nothing below can be taken back.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};

mod ways;

use ways::Ways;

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
#[derive(Clone, Debug, Default)]
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
    /// [`Error::Invalid`] with the pattern that can not be understood.
    pub fn new<E: AsRef<str>, I: AsRef<str>>(exclude: &[E], include: &[I]) -> Result<Self> {
        Self::with_case(exclude, &[] as &[&str], include, &[] as &[&str])
    }

    /// The same with more patterns of each kind that do not tell upper case from lower case; they count as the later ones.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the pattern that can not be understood.
    pub fn with_case<E: AsRef<str>, X: AsRef<str>, I: AsRef<str>, J: AsRef<str>>(
        exclude: &[E],
        exclude_any_case: &[X],
        include: &[I],
        include_any_case: &[J],
    ) -> Result<Self> {
        let excluded = Rules::new(exclude.iter().map(AsRef::as_ref), exclude_any_case.iter().map(AsRef::as_ref))?;
        let included = Rules::new(include.iter().map(AsRef::as_ref), include_any_case.iter().map(AsRef::as_ref))?;
        let exact = include.iter().map(|pattern| (pattern.as_ref(), false));
        let any_case = include_any_case.iter().map(|pattern| (pattern.as_ref(), true));
        Ok(Self { excluded, included, ways: Ways::new(exact.chain(any_case))? })
    }

    /// Tells whether everything is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.excluded.rules.is_empty() && self.included.rules.is_empty()
    }

    /// Tells whether only what matches some pattern is wanted.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        !self.included.rules.is_empty()
    }

    /// Chooses for a name whose directory was not excluded. `path` is its absolute path, `below_root` the same from the
    /// root of the source on, without a slash at the front.
    ///
    /// Below a directory that was [`Choice::Wanted`] everything is but what [`Patterns::is_excluded`].
    #[must_use]
    pub fn choose(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> Choice {
        if self.is_excluded(path, below_root, is_directory) {
            return Choice::Excluded;
        }
        if self.is_included(path, below_root, is_directory) { Choice::Wanted } else { Choice::OnTheWay }
    }

    /// Tells whether something below a directory that is only on the way may be wanted. Where it can not, nobody needs to look.
    #[must_use]
    pub fn may_lead(&self, path: &[u8], below_root: &[u8]) -> bool {
        !self.is_selective() || self.ways.may_lead(path, below_root)
    }

    /// Tells whether a name matches a pattern of what alone to take, and everything is wanted where there is none.
    #[must_use]
    pub fn is_included(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> bool {
        !self.is_selective() || self.included.is_match(path, below_root, is_directory)
    }

    /// Tells whether a name is to be left out.
    #[must_use]
    pub fn is_excluded(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> bool {
        self.excluded.is_match(path, below_root, is_directory)
    }
}

/// Patterns of one kind, in their order: the last that matches decides.
#[derive(Clone, Debug, Default)]
struct Rules {
    rules: Vec<Rule>,
    /// Matched against absolute paths, and the rule of each glob.
    absolute: GlobSet,
    absolute_rules: Vec<usize>,
    /// Matched against paths below a root, and the rule of each glob.
    below_root: GlobSet,
    below_root_rules: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    takes_back: bool,
    directories_only: bool,
}

impl Rules {
    fn new<'p>(exact: impl Iterator<Item = &'p str>, any_case: impl Iterator<Item = &'p str>) -> Result<Self> {
        let (mut rules, mut absolute_rules, mut below_root_rules) = (Vec::new(), Vec::new(), Vec::new());
        let (mut absolute, mut below_root) = (Collector::new(), Collector::new());
        for (pattern, ignore_case) in
            exact.map(|pattern| (pattern, false)).chain(any_case.map(|pattern| (pattern, true)))
        {
            let Some(parsed) = Parsed::new(pattern) else { continue };
            let (globs, places) = match parsed.is_absolute {
                true => (&mut absolute, &mut absolute_rules),
                false => (&mut below_root, &mut below_root_rules),
            };
            globs.add(pattern, &parsed.glob, ignore_case)?;
            places.push(rules.len());
            rules.push(parsed.rule);
        }
        Ok(Self {
            rules,
            absolute: absolute.build()?,
            absolute_rules,
            below_root: below_root.build()?,
            below_root_rules,
        })
    }

    fn is_match(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let matched = |set: &GlobSet, rules: &[usize], path: &[u8]| {
            let path = Candidate::from_bytes(path);
            let matches = set.matches_candidate(&path).into_iter().filter_map(|place| rules.get(place).copied());
            let applies =
                |rule: &usize| self.rules.get(*rule).is_some_and(|rule| is_directory || !rule.directories_only);
            matches.filter(applies).max()
        };
        let absolute = matched(&self.absolute, &self.absolute_rules, path);
        let below = matched(&self.below_root, &self.below_root_rules, below_root);
        absolute.max(below).and_then(|last| self.rules.get(last)).is_some_and(|last| !last.takes_back)
    }
}

/// Globs on their way into a set.
struct Collector(GlobSetBuilder);

impl Collector {
    fn new() -> Self {
        Self(GlobSetBuilder::new())
    }

    /// Adds a glob of a pattern.
    fn add(&mut self, pattern: &str, glob: &str, ignore_case: bool) -> Result<()> {
        let glob = GlobBuilder::new(glob)
            .literal_separator(true)
            .backslash_escape(true)
            .case_insensitive(ignore_case)
            .build()
            .map_err(|error| unclear(pattern, &error))?;
        self.0.add(glob);
        Ok(())
    }

    fn build(self) -> Result<GlobSet> {
        self.0.build().map_err(|error| unclear("all of them together", &error))
    }
}

/// A line of a `.gitignore`, taken apart.
struct Parsed {
    glob: String,
    is_absolute: bool,
    rule: Rule,
}

impl Parsed {
    /// `None` for what is no pattern: an empty line, a comment.
    fn new(line: &str) -> Option<Self> {
        let mut text = line.trim_end_matches(['\r', '\n']);
        // Blanks at the end do not count, unless the last is taken as it is.
        while text.ends_with(' ') && !text.ends_with("\\ ") {
            text = &text[..text.len() - 1];
        }
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let takes_back = text.starts_with('!');
        text = text.strip_prefix('!').unwrap_or(text);
        let directories_only = text.ends_with('/');
        text = text.trim_end_matches('/');
        if text.is_empty() {
            return None;
        }
        let is_absolute = text.starts_with('/');
        let has_slash = text.contains('/');
        let mut glob = if has_slash { text.to_owned() } else { format!("**/{text}") };
        // What is below is meant, not the directory itself.
        if glob.ends_with("/**") {
            glob.push_str("/*");
        }
        Some(Self { glob, is_absolute, rule: Rule { takes_back, directories_only } })
    }
}

fn unclear(pattern: &str, error: &globset::Error) -> Error {
    Error::Invalid { what: format!("the pattern \"{pattern}\" can not be understood: {}", error.kind()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Chooses for a path below the root `/srv`.
    fn choose(exclude: &[&str], include: &[&str], below: &str, is_directory: bool) -> Choice {
        let patterns = Patterns::new(exclude, include).expect("patterns");
        patterns.choose(format!("/srv/{below}").as_bytes(), below.as_bytes(), is_directory)
    }

    fn is_excluded(exclude: &[&str], below: &str) -> bool {
        choose(exclude, &[], below, false) == Choice::Excluded
    }

    #[test]
    fn a_pattern_without_a_slash_matches_at_any_depth() {
        assert!(is_excluded(&["*.tmp"], "a.tmp"));
        assert!(is_excluded(&["*.tmp"], "deep/down/a.tmp"));
        assert!(!is_excluded(&["*.tmp"], "a.tmpx"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_bound_to_the_root_or_absolute() {
        assert!(is_excluded(&["build/*.o"], "build/a.o"));
        assert!(!is_excluded(&["build/*.o"], "sub/build/a.o"));
        assert!(!is_excluded(&["build/*.o"], "build/deep/a.o"));
        assert!(is_excluded(&["/srv/build/a.o"], "build/a.o"));
        assert!(!is_excluded(&["/build/a.o"], "build/a.o"));
        assert!(is_excluded(&["**/build/*.o"], "sub/build/a.o"));
        assert!(is_excluded(&["build/**/a.o"], "build/x/y/a.o"));
    }

    #[test]
    fn a_slash_at_the_end_means_directories() {
        assert_eq!(choose(&["cache/"], &[], "cache", true), Choice::Excluded);
        assert_eq!(choose(&["cache/"], &[], "cache", false), Choice::Wanted);
        assert_eq!(choose(&["cache/**"], &[], "cache", true), Choice::Wanted);
        assert!(is_excluded(&["cache/**"], "cache/a"));
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        assert!(!is_excluded(&["*.log", "!keep.log"], "keep.log"));
        assert!(is_excluded(&["!keep.log", "*.log"], "keep.log"));
        assert!(!is_excluded(&["/srv/*.log", "!keep.log"], "keep.log"));
    }

    #[test]
    fn comments_blanks_and_escapes_are_as_in_gitignore() {
        let patterns = Patterns::new(&["# a comment", "", "   "], &[] as &[&str]).expect("patterns");
        assert!(patterns.is_empty());
        assert!(is_excluded(&["\\#a"], "#a"));
        assert!(is_excluded(&["\\!a"], "!a"));
        assert!(is_excluded(&["a   "], "a"));
        assert!(is_excluded(&["a\\ "], "a "));
        assert!(is_excluded(&["a\\*"], "a*"));
        assert!(!is_excluded(&["a\\*"], "ab"));
    }

    #[test]
    fn includes_leave_the_way_open_and_excludes_win() {
        assert_eq!(choose(&[], &["deep/*.txt"], "deep", true), Choice::OnTheWay);
        assert_eq!(choose(&[], &["deep/*.txt"], "deep/a.txt", false), Choice::Wanted);
        assert_eq!(choose(&[], &["deep/*.txt"], "deep/a.bin", false), Choice::OnTheWay);
        assert_eq!(choose(&["a.txt"], &["deep/*.txt"], "deep/a.txt", false), Choice::Excluded);
    }

    #[test]
    fn names_that_are_not_utf8_are_matched() {
        let patterns = Patterns::new(&["caf?.txt", "x*"], &[] as &[&str]).expect("patterns");
        assert!(patterns.is_excluded(b"/srv/caf\xe9.txt", b"caf\xe9.txt", false));
        assert!(patterns.is_excluded(b"/srv/x\xff\xfe", b"x\xff\xfe", false));
    }

    #[test]
    fn any_case_is_asked_for() {
        let none: &[&str] = &[];
        let patterns = Patterns::with_case(none, &["*.TMP"], none, none).expect("patterns");
        assert!(patterns.is_excluded(b"/srv/a.tmp", b"a.tmp", false));
        assert!(!is_excluded(&["*.TMP"], "a.tmp"));
    }

    #[test]
    fn a_pattern_that_can_not_be_understood_is_named() {
        let error = Patterns::new(&["[a"], &[] as &[&str]).expect_err("no pattern");
        assert!(error.to_string().contains("[a"), "{error}");
    }

    proptest! {
        #[test]
        fn no_pattern_and_no_path_panics(pattern in ".{0,40}", path in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(patterns) = Patterns::new(&[&pattern], &[&pattern]) {
                let _ = patterns.choose(&path, &path, true);
            }
        }
    }
}
