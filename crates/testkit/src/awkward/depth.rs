//! Directories deeper than a path can be long.

use std::io;

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, recipe};

pub(super) const CASES: &[Recipe] = &[
    recipe("depth-of-long-names", Needs::Nothing, ByAll, long_names),
    recipe("depth", Needs::Nothing, ByAll, levels),
    recipe("depth-again", Needs::Nothing, ByAll, twice),
];

/// 60 levels of 255 bytes, nearly four times the longest path, with something on every level.
fn long_names(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let mut above = None;
    for level in 0..60_u8 {
        let at: &Place = above.as_ref().unwrap_or(place);
        let next = at.directory([b'a' + level % 26; 255])?;
        next.file("file", [level])?;
        next.symlink("link", "file")?;
        above = Some(next);
    }
    Ok(())
}

fn levels(place: &Place, options: &AwkwardOptions) -> io::Result<()> {
    let leaf = descend(place, options.levels)?;
    leaf.file("leaf", b"at the bottom")?;
    leaf.symlink("link", "leaf")?;
    leaf.link("leaf", place, "leaf at the top")
}

/// Two branches, so that the way leads up and down again, with files before and behind each level.
fn twice(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for name in ["one", "two"] {
        let mut above = place.directory(name)?;
        for level in 0..400_u32 {
            above.file("a", level.to_le_bytes())?;
            above.file("z", level.to_be_bytes())?;
            above = above.directory("m")?;
        }
    }
    Ok(())
}

fn descend(place: &Place, levels: usize) -> io::Result<Place> {
    let mut above = place.directory("d")?;
    for _ in 1..levels {
        above = above.directory("d")?;
    }
    Ok(above)
}
