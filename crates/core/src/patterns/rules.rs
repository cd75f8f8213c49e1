//! Patterns in their order, and which of them match a name: the last one decides.
//!
//! Names come by the million and patterns by the thousand. So what is plain is looked up, and of the others only those are
//! tried whose last or first byte is there.

use std::{borrow::Cow, collections::HashMap};

use super::{
    line::{Place, Rule},
    name::fold,
};
use crate::error::Result;

/// Patterns of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    exact: Index,
    any_case: Index,
}

/// Rules by what a name must have for them to match, each list in order.
#[derive(Clone, Debug, Default)]
struct Index {
    /// By the name that is meant, at any depth.
    names: HashMap<Vec<u8>, Vec<usize>>,
    /// By the path below the root that is meant.
    below_root: HashMap<Vec<u8>, Vec<usize>>,
    /// By the absolute path that is meant, without its first slash.
    absolute: HashMap<Vec<u8>, Vec<usize>>,
    /// By the last byte.
    ending: HashMap<u8, Vec<usize>>,
    /// By the first byte of the name.
    beginning: HashMap<u8, Vec<usize>>,
    /// All others.
    others: Vec<usize>,
}

/// A name as patterns see it.
struct Seen<'p> {
    /// Its absolute path without the first slash; `None` for what is no absolute path.
    absolute: Option<Cow<'p, [u8]>>,
    below_root: Cow<'p, [u8]>,
}

impl Rules {
    pub(super) fn new<'p>(patterns: impl Iterator<Item = (&'p [u8], bool)>) -> Result<Self> {
        let mut rules = Self::default();
        for (pattern, any_case) in patterns {
            let Some(rule) = Rule::parse(pattern, any_case)? else { continue };
            let index = if any_case { &mut rules.any_case } else { &mut rules.exact };
            index.add(rules.rules.len(), &rule);
            rules.rules.push(rule);
        }
        Ok(rules)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Finds the rules that match, in no order.
    pub(super) fn matches(&self, path: &[u8], below_root: &[u8], is_directory: bool) -> Vec<usize> {
        let mut matches = Vec::new();
        let absolute = path.strip_prefix(b"/").filter(|path| !path.is_empty());
        if !self.exact.is_empty() {
            let seen = Seen { absolute: absolute.map(Cow::Borrowed), below_root: below_root.into() };
            self.exact.candidates(&seen, |rule| self.check(rule, &seen, is_directory, &mut matches));
        }
        if !self.any_case.is_empty() {
            let seen = Seen { absolute: absolute.map(fold), below_root: fold(below_root) };
            self.any_case.candidates(&seen, |rule| self.check(rule, &seen, is_directory, &mut matches));
        }
        matches
    }

    fn check(&self, number: usize, seen: &Seen<'_>, is_directory: bool, matches: &mut Vec<usize>) {
        let Some(rule) = self.rules.get(number) else { return };
        let path = match rule.place {
            Place::Absolute => seen.absolute.as_deref(),
            Place::Anywhere | Place::BelowRoot => Some(&*seen.below_root),
        };
        if (is_directory || !rule.directories_only) && path.is_some_and(|path| rule.glob.is_match(path)) {
            matches.push(number);
        }
    }

    /// Tells what the last of rules says: whether the name is one of those that are meant.
    pub(super) fn decide(&self, matches: &[usize]) -> bool {
        let last = matches.iter().max().and_then(|&last| self.rules.get(last));
        last.is_some_and(|last| !last.takes_back)
    }
}

impl Index {
    fn is_empty(&self) -> bool {
        let Self { names, below_root, absolute, ending, beginning, others } = self;
        let has_no_path = names.is_empty() && below_root.is_empty() && absolute.is_empty();
        has_no_path && ending.is_empty() && beginning.is_empty() && others.is_empty()
    }

    fn add(&mut self, number: usize, rule: &Rule) {
        let name = rule.glob.last_name();
        let plain = match rule.place {
            Place::Anywhere => name.and_then(|name| name.literal()).map(|name| (&mut self.names, name)),
            Place::BelowRoot => rule.glob.literal().map(|path| (&mut self.below_root, path)),
            Place::Absolute => rule.glob.literal().map(|path| (&mut self.absolute, path)),
        };
        let list = match (plain, name.and_then(|name| name.last_byte()), name.and_then(|name| name.first_byte())) {
            (Some((plain, path)), ..) => plain.entry(path).or_default(),
            (None, Some(last), _) => self.ending.entry(last).or_default(),
            (None, None, Some(first)) => self.beginning.entry(first).or_default(),
            (None, None, None) => &mut self.others,
        };
        list.push(number);
    }

    /// Gives the rules that may match.
    fn candidates(&self, seen: &Seen<'_>, mut try_rule: impl FnMut(usize)) {
        let below_root = &*seen.below_root;
        // Of a root below itself there is no name; its absolute path has one.
        let path = if below_root.is_empty() { seen.absolute.as_deref().unwrap_or_default() } else { below_root };
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let plain = [
            find(&self.names, name),
            find(&self.below_root, below_root),
            seen.absolute.as_deref().and_then(|path| find(&self.absolute, path)),
            name.last().and_then(|last| self.ending.get(last)),
            name.first().and_then(|first| self.beginning.get(first)),
            Some(&self.others),
        ];
        plain.into_iter().flatten().flatten().for_each(|&rule| try_rule(rule));
    }
}

fn find<'i>(index: &'i HashMap<Vec<u8>, Vec<usize>>, path: &[u8]) -> Option<&'i Vec<usize>> {
    // An empty map is asked for every name: the path need not be hashed for it.
    if index.is_empty() { None } else { index.get(path) }
}
