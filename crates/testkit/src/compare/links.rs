//! Which names are hard links of one another. Names outside of the trees do not count.

use std::collections::{BTreeSet, HashMap};

use lbak_core::error::escape;

use super::{Difference, Field, system::Identity};

/// The names of files that have several, on one side.
#[derive(Default)]
pub(super) struct Links {
    names: HashMap<Identity, Vec<Vec<u8>>>,
}

/// For each name the files' first name, and all of them.
struct Groups<'a>(HashMap<&'a [u8], &'a [Vec<u8>]>);

impl Links {
    pub(super) fn note(&mut self, identity: Identity, path: &[u8]) {
        self.names.entry(identity).or_default().push(path.to_vec());
    }

    fn sort(&mut self) {
        self.names.values_mut().for_each(|names| names.sort_unstable());
    }

    fn groups(&self) -> Groups<'_> {
        let several = self.names.values().filter(|names| names.len() > 1);
        Groups(several.flat_map(|names| names.iter().map(|name| (name.as_slice(), names.as_slice()))).collect())
    }
}

impl Groups<'_> {
    /// Two names are of one file if their labels are equal.
    fn label<'a>(&'a self, path: &'a [u8]) -> &'a [u8] {
        self.0.get(path).and_then(|names| names.first()).map_or(path, Vec::as_slice)
    }

    fn show(&self, path: &[u8]) -> String {
        let names = self.0.get(path);
        names.map_or("none".into(), |names| names.iter().map(|name| escape(name)).collect::<Vec<_>>().join(" = "))
    }
}

/// Lists the names that are not of the same files on both sides.
pub(super) fn differences(mut links: [Links; 2]) -> Vec<Difference> {
    links.iter_mut().for_each(Links::sort);
    let [left, right] = [links[0].groups(), links[1].groups()];
    let paths: BTreeSet<&[u8]> = left.0.keys().chain(right.0.keys()).copied().collect();
    let differ = paths.into_iter().filter(|path| left.label(path) != right.label(path));
    let show = |path: &[u8]| Difference {
        path: path.to_vec(),
        field: Field::Links,
        left: left.show(path),
        right: right.show(path),
    };
    differ.map(show).collect()
}
