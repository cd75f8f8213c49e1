//! Which snapshot is meant: `latest`, `latest~2`, the beginning of an id, before a time, of a host, path or tag.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Catalog, Committed};
use crate::{
    error::{Error, Result, escape},
    metadata::Timestamp,
};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which of those that the rest leaves.
    pub pick: Pick,
    /// Only snapshots of a moment up to this one.
    pub at: Option<Timestamp>,
    /// Only of this host.
    pub host: Option<String>,
    /// Only of all of these paths, each exactly as it was named, perhaps among others. Where that leaves several backups, the
    /// one of exactly these paths is meant.
    pub paths: Vec<Vec<u8>>,
    /// An absolute path that is looked for in the snapshot. Decides nothing but which of several backups is meant: the one
    /// that was named so that it can hold it.
    pub within: Option<Vec<u8>>,
    /// Only with this tag.
    pub tag: Option<String>,
}

/// Snapshots by host and paths.
type Groups<'a> = BTreeMap<(&'a str, &'a [Vec<u8>]), Vec<&'a Committed>>;

/// Which snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The newest (0), the one before it (1), …
    Latest(u64),
    /// The one whose id begins with these hex digits.
    Prefix(String),
}

impl Default for Pick {
    fn default() -> Self {
        Self::Latest(0)
    }
}

/// What was chosen.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The snapshot.
    pub snapshot: &'a Committed,
    /// It is dated later than now: somebody's clock is wrong.
    pub is_from_the_future: bool,
}

impl Pick {
    /// Shortest beginning of an id that is accepted.
    pub const SHORTEST_PREFIX: usize = 4;

    /// Reads `latest`, `latest~N` or the beginning of an id.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(rest) = text.strip_prefix("latest") {
            return match rest.strip_prefix('~') {
                None if rest.is_empty() => Ok(Self::Latest(0)),
                Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                    number.parse().map(Self::Latest).map_err(|_| invalid(text))
                }
                _ => Err(invalid(text)),
            };
        }
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && (Self::SHORTEST_PREFIX..=32).contains(&text.len()) {
            return Ok(Self::Prefix(text.to_owned()));
        }
        Err(invalid(text))
    }
}

fn invalid(text: &str) -> Error {
    let text = escape(text.as_bytes());
    Error::Invalid { what: format!("`{text}` is no snapshot: give `latest`, `latest~N` or at least 4 digits of an id") }
}

impl Selection {
    /// Chooses one snapshot, or says why there is not exactly one. Never "the nearest".
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], [`Error::AmbiguousSnapshot`], or [`Error::SeveralGroups`] when `latest` could mean several backups.
    pub fn choose<'a>(&self, catalog: &'a Catalog, now: Timestamp) -> Result<Chosen<'a>> {
        let snapshot = match &self.pick {
            Pick::Prefix(prefix) => self.by_prefix(prefix, catalog)?,
            Pick::Latest(back) => self.by_age(*back, catalog)?,
        };
        Ok(Chosen { snapshot, is_from_the_future: snapshot.manifest.ended_at > now })
    }

    /// All snapshots that time, host, path and tag leave, oldest first.
    pub fn narrow<'a>(&self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Committed> + use<'_, 'a> {
        catalog.snapshots.iter().filter(|snapshot| self.allows(snapshot))
    }

    fn allows(&self, snapshot: &Committed) -> bool {
        let manifest = &snapshot.manifest;
        self.at.is_none_or(|at| snapshot.moment() <= at)
            && self.host.as_ref().is_none_or(|host| *host == manifest.host)
            && self.paths.iter().all(|path| manifest.paths.contains(path))
            && self.tag.as_ref().is_none_or(|tag| manifest.tags.contains(tag))
    }

    fn by_prefix<'a>(&self, prefix: &str, catalog: &'a Catalog) -> Result<&'a Committed> {
        let begins = |snapshot: &&Committed| snapshot.manifest.id.to_string().starts_with(prefix);
        let matches: Vec<&Committed> = catalog.snapshots.iter().filter(begins).collect();
        match matches[..] {
            [] => Err(Error::NoSnapshot { asked: prefix.to_owned() }),
            [snapshot] if !self.allows(snapshot) => {
                Err(Error::NoSnapshot { asked: format!("{prefix} together with the other conditions") })
            }
            [snapshot] => Ok(snapshot),
            _ => Err(Error::AmbiguousSnapshot {
                asked: prefix.to_owned(),
                matches: matches.iter().map(|snapshot| snapshot.manifest.id).collect(),
            }),
        }
    }

    /// The snapshots among which a choice by age is made: those that [`narrow`](Self::narrow) leaves, of several backups only those that
    /// the conditions say more about.
    pub fn candidates<'a>(&self, catalog: &'a Catalog) -> Vec<&'a Committed> {
        self.groups(catalog).into_values().flatten().collect()
    }

    fn groups<'a>(&self, catalog: &'a Catalog) -> Groups<'a> {
        let mut groups = Groups::new();
        for snapshot in self.narrow(catalog) {
            groups.entry((&snapshot.manifest.host, &snapshot.manifest.paths)).or_default().push(snapshot);
        }
        self.prefer(&mut groups);
        groups
    }

    /// Tells whether the path that is wanted can be in none of several backups.
    fn is_nowhere(&self, groups: &Groups<'_>) -> Option<&[u8]> {
        let within = self.within.as_deref().filter(|path| path.starts_with(b"/") && groups.len() > 1)?;
        let is_near = |directory: &Vec<u8>| is_within(within, directory) || is_within(directory, within);
        (!groups.keys().any(|(_, paths)| paths.iter().any(is_near))).then_some(within)
    }

    /// Of several backups, keeps those that the conditions say more about, if there are any.
    fn prefer(&self, groups: &mut Groups<'_>) {
        let named: BTreeSet<&[u8]> = self.paths.iter().map(Vec::as_slice).collect();
        let is_exact = |paths: &[Vec<u8>]| paths.iter().map(Vec::as_slice).collect::<BTreeSet<_>>() == named;
        let within = self.within.as_deref().filter(|path| path.starts_with(b"/"));
        let can_hold =
            |paths: &[Vec<u8>]| within.is_some_and(|path| paths.iter().any(|directory| is_within(path, directory)));
        keep_wished(groups, is_exact);
        keep_wished(groups, can_hold);
    }

    fn by_age<'a>(&self, back: u64, catalog: &'a Catalog) -> Result<&'a Committed> {
        let groups = self.groups(catalog);
        if let Some(path) = self.is_nowhere(&groups) {
            return Err(Error::NoSnapshot { asked: format!("{self} with {}", escape(path)) });
        }
        if groups.len() > 1 {
            let groups = groups.keys().map(|(host, paths)| describe_group(host, paths)).collect();
            return Err(Error::SeveralGroups { asked: self.to_string(), groups });
        }
        let newest_first = groups.into_values().flat_map(|group| group.into_iter().rev());
        usize::try_from(back)
            .ok()
            .and_then(|back| newest_first.into_iter().nth(back))
            .ok_or_else(|| Error::NoSnapshot { asked: self.to_string() })
    }
}

/// Keeps those of several groups whose paths are as they are wished for, if there are any.
fn keep_wished(groups: &mut Groups<'_>, is_wished: impl Fn(&[Vec<u8>]) -> bool) {
    if groups.len() > 1 && groups.keys().any(|(_, paths)| is_wished(paths)) {
        groups.retain(|(_, paths), _| is_wished(paths));
    }
}

/// Tells whether a path is this directory, or below it.
fn is_within(path: &[u8], directory: &[u8]) -> bool {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A host and its paths, for people.
fn describe_group(host: &str, paths: &[Vec<u8>]) -> String {
    // A list of files can have named a hundred thousand.
    const SHOWN: usize = 10;
    let mut words: Vec<String> = paths.iter().take(SHOWN).map(|path| escape(path)).collect();
    if paths.len() > SHOWN {
        words.push(format!("and {} more", paths.len() - SHOWN));
    }
    format!("{} on host {}", words.join(" "), escape(host.as_bytes()))
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.pick {
            Pick::Latest(0) => f.write_str("latest")?,
            Pick::Latest(back) => write!(f, "latest~{back}")?,
            Pick::Prefix(prefix) => f.write_str(prefix)?,
        }
        if self.at.is_some() {
            f.write_str(" up to the given time")?;
        }
        if let Some(host) = &self.host {
            write!(f, " of host {}", escape(host.as_bytes()))?;
        }
        for (place, path) in self.paths.iter().enumerate() {
            write!(f, "{} {}", if place == 0 { " of path" } else { " and" }, escape(path))?;
        }
        if let Some(tag) = &self.tag {
            write!(f, " with tag {}", escape(tag.as_bytes()))?;
        }
        Ok(())
    }
}
