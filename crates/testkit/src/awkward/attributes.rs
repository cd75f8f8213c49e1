//! Extended attributes, access lists and capabilities, all as the bytes that the system takes: no tool is needed.

use std::io;

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, recipe};

pub(super) const CASES: &[Recipe] = &[
    recipe("attributes", Needs::FileSystem, ByAll, plain),
    recipe("attributes-many", Needs::FileSystem, ByAll, many),
    recipe("attributes-large", Needs::FileSystem, ByAll, large),
    recipe("attributes-trusted", Needs::RootAndFileSystem, ByAll, trusted),
    recipe("attributes-security", Needs::RootAndFileSystem, ByAll, security),
    recipe("capabilities", Needs::RootAndFileSystem, ByAll, capabilities),
    recipe("access-lists", Needs::FileSystem, ByAll, access_lists),
    recipe("access-lists-inherited", Needs::FileSystem, ByAll, inherited),
];

fn plain(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("file", b"with attributes")?;
    let every_byte: Vec<u8> = (0..=255).collect();
    let long_name = [&b"user."[..], &[b'n'; 250]].concat();
    let attributes: [(&[u8], &[u8]); 7] = [
        (b"user.plain", b"value"),
        (b"user.empty", b""),
        (b"user.zero", b"\0"),
        (b"user.binary", &every_byte),
        (b"user.not UTF-8 \xff\xfe", b"odd name"),
        (b"user.new\nline\x1b[2J", b"another"),
        (&long_name, b"longest name"),
    ];
    for (name, value) in attributes {
        place.attribute("file", name, value)?;
    }
    place.directory("directory")?;
    place.attribute("directory", b"user.of a directory", b"value")?;
    place.attribute("directory", b"user.empty", b"")?;
    place.file("read-only", b"with an attribute")?;
    place.attribute("read-only", b"user.a", b"b")?;
    place.mode("read-only", 0o400)?;
    place.file("empty", b"")?;
    place.attribute("empty", b"user.a", b"b")
}

fn many(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("file", b"")?;
    (0..60).try_for_each(|number| place.attribute("file", format!("user.{number}").as_bytes(), &[b'v'; 20]))
}

/// The largest value that the file system takes, on a file and on a directory.
fn large(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("file", b"")?;
    place.directory("directory")?;
    for name in ["file", "directory"] {
        let lengths = [65_536, 40_000, 16_385, 4000, 3900, 3000, 2000];
        let mut refused = None;
        for length in lengths {
            let value = crate::objects::noise(length as u64, length);
            match place.attribute(name, b"user.large", &value) {
                Ok(()) => {
                    refused = None;
                    break;
                }
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
    }
    Ok(())
}

/// On everything that has a name: `user.` is for files and directories alone.
fn trusted(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("file", b"")?;
    place.directory("directory")?;
    place.symlink("link", "nowhere")?;
    place.symlink("link to the directory", "directory")?;
    place.fifo("fifo")?;
    let names = ["file", "directory", "link", "link to the directory", "fifo"];
    names.into_iter().try_for_each(|name| place.attribute(name, b"trusted.mark", name.as_bytes()))
}

fn security(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    place.file("file", b"")?;
    place.attribute("file", b"security.lbak-testkit", b"any label")
}

/// `struct vfs_cap_data`, versions 2 and 3: magic and flags, permitted and inheritable sets, the root user's number.
fn capabilities(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let net_bind_service = 1 << 10;
    place.file("program", b"#!/bin/sh\n")?;
    place.mode("program", 0o755)?;
    place.attribute("program", b"security.capability", &words(&[0x0200_0001, net_bind_service, 0, 0, 0]))?;
    place.file("of a namespace", b"#!/bin/sh\n")?;
    place.mode("of a namespace", 0o755)?;
    place.attribute(
        "of a namespace",
        b"security.capability",
        &words(&[0x0300_0001, net_bind_service, 0, 0, 0, 1000]),
    )?;
    // Changing the owner takes capabilities away, unless they are set after it.
    place.file("of somebody else", b"#!/bin/sh\n")?;
    place.own("of somebody else", 1234, 4321)?;
    place.attribute("of somebody else", b"security.capability", &words(&[0x0200_0000, 0, net_bind_service, 0, 0]))
}

const USER_OBJECT: (u16, u32) = (0x01, u32::MAX);
const GROUP_OBJECT: (u16, u32) = (0x04, u32::MAX);
const MASK: (u16, u32) = (0x10, u32::MAX);
const OTHER: (u16, u32) = (0x20, u32::MAX);

const fn user(uid: u32) -> (u16, u32) {
    (0x02, uid)
}

const fn group(gid: u32) -> (u16, u32) {
    (0x08, gid)
}

/// `struct posix_acl_xattr`: version 2, then tag, permissions and number of each entry.
fn list(entries: &[((u16, u32), u16)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for ((tag, number), permissions) in entries {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&permissions.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

fn access_lists(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let plain = list(&[(USER_OBJECT, 6), (user(12_345), 4), (GROUP_OBJECT, 4), (MASK, 4), (OTHER, 0)]);
    let narrow = list(&[(USER_OBJECT, 7), (user(12_345), 7), (GROUP_OBJECT, 7), (MASK, 1), (OTHER, 5)]);
    let wide: Vec<_> = std::iter::once((USER_OBJECT, 7))
        .chain((1000..1020).map(|uid| (user(uid), 5)))
        .chain([(GROUP_OBJECT, 0)])
        .chain((2000..2010).map(|gid| (group(gid), 7)))
        .chain([(MASK, 7), (OTHER, 0)])
        .collect();
    let nobody = list(&[(USER_OBJECT, 4), (user(0), 0), (GROUP_OBJECT, 0), (MASK, 0), (OTHER, 0)]);
    for (name, access) in [("plain", &plain), ("narrow mask", &narrow), ("wide", &list(&wide)), ("nobody", &nobody)] {
        place.file(name, b"")?;
        place.attribute(name, ACCESS, access)?;
    }
    place.fifo("fifo")?;
    place.attribute("fifo", ACCESS, &plain)?;
    place.directory("directory")?;
    place.attribute("directory", ACCESS, &list(&wide))?;
    // Bits that are no part of the list, and that it must leave as they are.
    place.file("with set-id", b"")?;
    place.mode("with set-id", 0o4755)?;
    place.attribute("with set-id", ACCESS, &narrow)
}

/// What is made in a directory with a default list inherits it; what was there before does not.
fn inherited(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let default = list(&[(USER_OBJECT, 7), (user(12_345), 5), (GROUP_OBJECT, 5), (MASK, 5), (OTHER, 0)]);
    let directory = place.directory("directory")?;
    directory.file("before", b"without a list")?;
    directory.directory("directory before")?;
    place.attribute("directory", DEFAULT, &default)?;
    directory.file("after", b"with the inherited list")?;
    directory.directory("directory after")?.file("further", b"inherited twice")?;
    directory.fifo("fifo after")?;
    directory.symlink("links have none", "after")?;
    place.directory("only the three")?;
    place.attribute("only the three", DEFAULT, &list(&[(USER_OBJECT, 7), (GROUP_OBJECT, 5), (OTHER, 5)]))
}
