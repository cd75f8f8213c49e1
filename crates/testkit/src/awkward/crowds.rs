//! Many of one kind.

use std::io;

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, recipe};

pub(super) const CASES: &[Recipe] = &[
    recipe("crowd", Needs::Nothing, ByAll, crowd),
    recipe("directories-empty", Needs::Nothing, ByAll, empty_directories),
];

/// Small files, every tenth of them a name of its own.
fn crowd(place: &Place, options: &AwkwardOptions) -> io::Result<()> {
    for number in 0..options.crowd {
        match number % 10 {
            0 => place.symlink(format!("{number}"), format!("{}", number + 1))?,
            _ => drop(place.file(format!("{number}"), format!("{number}"))?),
        }
    }
    Ok(())
}

fn empty_directories(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    (0..50).try_for_each(|number| place.directory(number.to_string()).map(drop))?;
    place.directory("nested")?.directory("nested")?.directory("nested").map(drop)
}
