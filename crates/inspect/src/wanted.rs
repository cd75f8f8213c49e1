//! What is looked for: names and paths, kinds, times and sizes; and which directories can not hold any of it.

use lbak_core::{
    browse::components,
    error::{Error, Result},
    metadata::{FileKind, Timestamp},
    observe::Cancellation,
    patterns::{Choice, Patterns},
    tree::Entry,
};

/// What is looked for. Everything that is given must be true of what is found.
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    /// Names and paths, as [`Patterns`] understands them; one of them must match. None at all: every name.
    pub patterns: Vec<String>,
    /// The same, without telling upper case from lower case.
    pub patterns_any_case: Vec<String>,
    /// One of these kinds; none at all: every kind.
    pub kinds: Vec<FileKind>,
    /// Content last changed at this time or later.
    pub newer: Option<Timestamp>,
    /// Content last changed before this time.
    pub older: Option<Timestamp>,
    /// Regular files of more bytes than this.
    pub larger: Option<u64>,
    /// Regular files of fewer bytes than this.
    pub smaller: Option<u64>,
    /// Stops it.
    pub cancellation: Cancellation,
}

/// The options, made ready.
pub(crate) struct Wanted<'a> {
    options: &'a FindOptions,
    patterns: Patterns,
    /// Where something can match; `None`: anywhere.
    places: Option<Vec<Place>>,
}

/// Where one absolute pattern can match.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The names that it begins with, as far as they are no globs.
    begins: Vec<Vec<u8>>,
    /// How many names a path must have; `None` when the pattern reaches to any depth.
    names: Option<usize>,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// [`Error::Invalid`] with the pattern that can not be understood.
    pub(crate) fn new(options: &'a FindOptions) -> Result<Self> {
        let none: &[&str] = &[];
        let patterns = Patterns::with_case(none, none, &options.patterns, &options.patterns_any_case)?;
        let is_any_given = !options.patterns.is_empty() || !options.patterns_any_case.is_empty();
        if is_any_given && !patterns.is_selective() {
            return Err(Error::Invalid { what: "no pattern that was given names anything".into() });
        }
        let is_bound = options.patterns_any_case.is_empty() && !options.patterns.is_empty();
        let places: Option<Vec<Place>> = options.patterns.iter().map(|pattern| Place::of(pattern)).collect();
        Ok(Self { options, patterns, places: places.filter(|_| is_bound) })
    }

    /// Tells whether a name at a path, with its root's path and what is below that root, is looked for.
    pub(crate) fn matches(&self, path: &[u8], below_root: &[u8], entry: &Entry) -> bool {
        let is_directory = entry.kind() == FileKind::Directory;
        let is_named =
            !self.patterns.is_selective() || self.patterns.choose(path, below_root, is_directory) == Choice::Wanted;
        is_named && self.fits(entry)
    }

    /// Tells whether the conditions besides the name hold.
    pub(crate) fn fits(&self, entry: &Entry) -> bool {
        let FindOptions { kinds, newer, older, larger, smaller, .. } = self.options;
        let kind = entry.kind();
        let is_sized = larger.is_none() && smaller.is_none() || kind == FileKind::File;
        (kinds.is_empty() || kinds.contains(&kind))
            && newer.is_none_or(|newer| entry.mtime >= newer)
            && older.is_none_or(|older| entry.mtime < older)
            && is_sized
            && larger.is_none_or(|larger| entry.size > larger)
            && smaller.is_none_or(|smaller| entry.size < smaller)
    }

    /// Tells whether something in the directory at this path, or below it, can match.
    pub(crate) fn may_be_below(&self, path: &[u8]) -> bool {
        let Some(places) = &self.places else { return true };
        let Some(names) = components(path) else { return true };
        places.iter().any(|place| {
            let is_on_the_way = names.iter().zip(&place.begins).all(|(name, begins)| name == begins);
            is_on_the_way && place.names.is_none_or(|most| names.len() < most)
        })
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        self.options.cancellation.check()
    }
}

impl Place {
    /// `None` for a pattern that can match anywhere.
    fn of(pattern: &str) -> Option<Self> {
        // What takes back a match needs no place of its own, but must not open all places either.
        let pattern = pattern.trim_end_matches(['\r', '\n', ' ']);
        let path = pattern.strip_prefix('!').unwrap_or(pattern).strip_prefix('/')?;
        let is_glob = |name: &str| name.contains(['*', '?', '[', ']', '{', '}', '\\']);
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let begins = names.iter().take_while(|name| !is_glob(name)).map(|name| name.as_bytes().to_vec()).collect();
        // A brace may hold slashes, and a backslash anything.
        let is_deep = names.iter().any(|name| name.contains("**") || name.contains(['{', '\\', '[']));
        Some(Self { begins, names: (!is_deep).then_some(names.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(patterns: &[&str], path: &str) -> bool {
        let options =
            FindOptions { patterns: patterns.iter().map(|&pattern| pattern.into()).collect(), ..Default::default() };
        Wanted::new(&options).expect("patterns").may_be_below(path.as_bytes())
    }

    #[test]
    fn an_absolute_pattern_is_looked_for_on_its_way_alone() {
        assert!(below(&["/srv/a/*.bin"], "/srv"));
        assert!(below(&["/srv/a/*.bin"], "/srv/a"));
        assert!(below(&["/srv/a/*.bin"], "/"));
        assert!(!below(&["/srv/a/*.bin"], "/srv/b"));
        assert!(!below(&["/srv/a/*.bin"], "/srv/a/deep"));
        assert!(below(&["/srv/a/**/x"], "/srv/a/deep/down"));
        assert!(!below(&["/srv/a/**"], "/srv/b"));
        assert!(below(&["/srv/*/x"], "/srv/anything"));
        assert!(!below(&["/srv/*/x"], "/home"));
        assert!(below(&["/srv/{a,b/c}/x"], "/srv/b/c"));
    }

    #[test]
    fn any_other_pattern_is_looked_for_everywhere() {
        assert!(below(&["*.bin"], "/srv/deep"));
        assert!(below(&["/srv/a", "x"], "/home"));
        assert!(below(&[], "/home"));
        let any_case = FindOptions { patterns_any_case: vec!["/SRV/a".into()], ..Default::default() };
        assert!(Wanted::new(&any_case).expect("patterns").may_be_below(b"/srv"));
    }
}
