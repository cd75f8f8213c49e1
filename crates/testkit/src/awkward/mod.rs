//! One tree with everything that a Linux file system can hold and a backup can lose.
//!
//! [`make`] builds it in an empty folder: `tree` is what is to be backed up, `outside` holds further names of some of its
//! files. Every case has a directory of its own, named after it, and is reported: [made](Outcome::Made), or
//! [refused](Outcome::Refused) by the system with its reason. What needs root, or something that not every file system
//! has, says so; nothing is left out without a word.
//!
//! ```no_run
//! use lbak_testkit::awkward::{AwkwardOptions, make, remove_tree};
//!
//! let folder = tempfile::tempdir()?;
//! for case in make(folder.path(), &AwkwardOptions::default())? {
//!     println!("{case}");
//! }
//! remove_tree(folder.path())?; // the standard library stops at a depth like this
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! `cargo run -p lbak-testkit --example awkward_tree FOLDER` does the same. Linux only.

mod attributes;
mod crowds;
mod depth;
mod files;
mod links;
mod names;
mod nodes;
mod people;
mod place;
mod remove;
mod times;

use std::{fmt, fs, io, path::Path};

use self::place::Place;
pub use self::remove::remove_tree;

/// How large the tree gets.
#[derive(Clone, Debug)]
pub struct AwkwardOptions {
    /// Entries of the largest directory.
    pub crowd: usize,
    /// Levels of the deepest directory, each with a name of one byte.
    pub levels: usize,
    /// Bytes of the largest file, nearly all of them a hole. File systems that take less get what they take.
    pub largest_file: u64,
}

impl Default for AwkwardOptions {
    /// About 3,000 entries, and 10,000 levels.
    fn default() -> Self {
        Self { crowd: 1500, levels: 10_000, largest_file: (8 << 40) - 1 }
    }
}

/// What a case asks of whoever makes it, and of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it must succeed everywhere.
    Nothing,
    /// Root. In a container even root may be refused.
    Root,
    /// An ability that not every file system has.
    FileSystem,
    /// Both.
    RootAndFileSystem,
}

/// Who can back it up and restore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Whoever can make it.
    ByAll,
    /// Root alone: its owner has taken the right to read it from himself.
    ByRoot,
    /// Nobody: it is made anew by the program that it belongs to.
    ByNobody,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Made,
    /// The system said this; nothing of it is there.
    Refused(String),
}

/// A case, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name, and that of its directory in `tree`.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Who gets it back.
    pub kept: Kept,
    /// What came of it.
    pub outcome: Outcome,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = match self.needs {
            Needs::Nothing => "",
            Needs::Root => " (needs root)",
            Needs::FileSystem => " (not on every file system)",
            Needs::RootAndFileSystem => " (needs root, not on every file system)",
        };
        match &self.outcome {
            Outcome::Made => write!(f, "made      {}{needs}", self.name),
            Outcome::Refused(reason) => write!(f, "NOT made  {}{needs}: {reason}", self.name),
        }
    }
}

/// How a case is made.
struct Recipe {
    name: &'static str,
    needs: Needs,
    kept: Kept,
    make: fn(&Place, &AwkwardOptions) -> io::Result<()>,
}

const fn recipe(
    name: &'static str,
    needs: Needs,
    kept: Kept,
    make: fn(&Place, &AwkwardOptions) -> io::Result<()>,
) -> Recipe {
    Recipe { name, needs, kept, make }
}

/// Makes `tree` and `outside` in a folder that is there, and reports every case.
///
/// # Errors
/// When the folders themselves can not be made, or the remains of a refused case not be removed.
pub fn make(folder: &Path, options: &AwkwardOptions) -> io::Result<Vec<Case>> {
    fs::create_dir(folder.join("tree"))?;
    fs::create_dir(folder.join("outside"))?;
    let tree = Place::open(&folder.join("tree"), &folder.join("outside"))?;
    let mut cases = Vec::new();
    let groups =
        [links::CASES, files::CASES, attributes::CASES, people::CASES, nodes::CASES, names::CASES, depth::CASES];
    for recipe in groups.into_iter().chain([times::CASES, crowds::CASES]).flatten() {
        let made = tree.directory(recipe.name).and_then(|place| (recipe.make)(&place, options));
        let outcome = match made {
            Ok(()) => Outcome::Made,
            Err(error) => {
                remove_tree(&folder.join("tree").join(recipe.name))?;
                Outcome::Refused(error.to_string())
            }
        };
        cases.push(Case { name: recipe.name, needs: recipe.needs, kept: recipe.kept, outcome });
    }
    Ok(cases)
}
