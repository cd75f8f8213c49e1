//! Owners and permission bits.

use std::io;

use super::{
    AwkwardOptions,
    Kept::{ByAll, ByRoot},
    Needs, Place, Recipe, recipe,
};

pub(super) const CASES: &[Recipe] = &[
    recipe("owners", Needs::Root, ByAll, owners),
    recipe("owners-of-programs", Needs::Root, ByAll, programs),
    recipe("modes", Needs::Nothing, ByAll, modes),
    recipe("modes-set-id", Needs::Nothing, ByAll, set_id),
    recipe("modes-unreadable", Needs::Nothing, ByRoot, unreadable),
    recipe("directories-read-only", Needs::Nothing, ByAll, read_only),
    recipe("directories-closed", Needs::Nothing, ByRoot, closed),
];

/// Numbers with a name and without, small ones and the largest.
fn owners(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let numbers = [(0, 0), (1, 1), (65_534, 65_534), (1234, 4321), (0, 77_777), (4_000_000_000, 4_000_000_001)];
    for (uid, gid) in numbers.into_iter().chain([(u32::MAX - 1, u32::MAX - 1)]) {
        let here = place.directory(format!("{uid}:{gid}"))?;
        here.file("file", b"")?;
        here.directory("directory")?;
        here.symlink("link", "file")?;
        here.fifo("fifo")?;
        ["file", "directory", "link", "fifo"].into_iter().try_for_each(|name| here.own(name, uid, gid))?;
        place.own(format!("{uid}:{gid}"), uid, gid)?;
    }
    Ok(())
}

/// Set-id bits of somebody else: a change of owner takes them away.
fn programs(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for (name, mode) in [("user", 0o4755), ("group", 0o2755), ("both", 0o6711), ("closed", 0o4000)] {
        place.file(name, b"#!/bin/sh\n")?;
        place.own(name, 1234, 4321)?;
        place.mode(name, mode)?;
    }
    // New files in it get its group.
    let directory = place.directory("shared")?;
    place.own("shared", 1234, 4321)?;
    place.mode("shared", 0o2775)?;
    directory.file("file of the group", b"")?;
    directory.directory("directory of the group")?;
    Ok(())
}

/// Every combination that leaves the file readable to its owner.
fn modes(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for mode in (0o400..=0o777).filter(|mode| mode & 0o400 != 0) {
        let name = format!("{mode:04o}");
        place.file(&name, &name)?;
        place.mode(&name, mode)?;
    }
    Ok(())
}

fn set_id(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for mode in [0o1644, 0o1755, 0o2644, 0o2755, 0o3777, 0o4644, 0o4755, 0o5755, 0o6755, 0o7777, 0o4400, 0o2510] {
        let (file, directory) = (format!("file {mode:04o}"), format!("directory {:04o}", mode | 0o700));
        place.file(&file, b"#!/bin/sh\n")?;
        place.mode(&file, mode)?;
        place.directory(&directory)?.file("within", b"")?;
        place.mode(&directory, mode | 0o700)?;
    }
    place.fifo("fifo 2666")?;
    place.mode("fifo 2666", 0o2666)
}

fn unreadable(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for mode in [0o000, 0o200, 0o100, 0o300, 0o044, 0o077, 0o377] {
        let name = format!("{mode:04o}");
        place.file(&name, b"not for its owner")?;
        place.mode(&name, mode)?;
    }
    Ok(())
}

/// Nothing can be made in them, so their modes have to come last.
fn read_only(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for mode in [0o555, 0o500] {
        let name = format!("{mode:04o}");
        let directory = place.directory(&name)?;
        directory.file("file", b"in a directory that nothing can be made in")?;
        directory.symlink("link", "file")?;
        directory.link("file", &directory, "file again")?;
        directory.directory("empty")?;
        directory.mode("empty", mode)?;
        let within = directory.directory("within")?;
        within.file("file", b"further down")?;
        directory.mode("within", mode)?;
        place.mode(&name, mode)?;
    }
    place.fifo("fifo 0000")?;
    place.mode("fifo 0000", 0)
}

/// Directories that can not be listed, or not be entered, with and without anything in them.
fn closed(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for mode in [0o000, 0o111, 0o300, 0o444] {
        let name = format!("{mode:04o}");
        place.directory(&name)?.file("file", b"behind a closed door")?;
        place.mode(&name, mode)?;
    }
    place.directory("empty")?;
    place.mode("empty", 0)
}
