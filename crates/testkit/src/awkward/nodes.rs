//! What is no file: pipes, devices, sockets.

use std::io;

use rustix::fs::FileType;

use super::{
    AwkwardOptions,
    Kept::{ByAll, ByNobody},
    Needs, Place, Recipe, recipe,
};

pub(super) const CASES: &[Recipe] = &[
    recipe("fifos", Needs::Nothing, ByAll, fifos),
    recipe("devices", Needs::Root, ByAll, devices),
    recipe("whiteout", Needs::FileSystem, ByAll, whiteout),
    recipe("sockets", Needs::FileSystem, ByNobody, sockets),
];

/// Nobody ever writes to them: whoever opened one to read would wait for ever.
fn fifos(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for mode in [0o600, 0o644, 0o666, 0o777, 0o000] {
        let name = format!("{mode:04o}");
        place.fifo(&name)?;
        place.mode(&name, mode)?;
    }
    Ok(())
}

fn devices(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let character = FileType::CharacterDevice;
    place.node("null", character, 1, 3)?;
    // Whoever read this one would never see an end.
    place.node("zero", character, 1, 5)?;
    place.node("largest numbers", character, 4095, 1_048_575)?;
    place.node("minor above a byte", character, 10, 256)?;
    place.node("block", FileType::BlockDevice, 7, 200)?;
    place.node("largest block", FileType::BlockDevice, 4095, 1_048_575)?;
    place.mode("null", 0o666)?;
    place.own("block", 1234, 4321)
}

/// How overlays mark what was removed: a device that anybody may make.
fn whiteout(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.node("removed", FileType::CharacterDevice, 0, 0)
}

fn sockets(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.socket("socket")?;
    place.directory("only a socket")?.socket("socket")
}
