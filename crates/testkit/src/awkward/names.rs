//! Names: any bytes but `/` and NUL, up to 255 of them.

use std::io;

use super::{AwkwardOptions, Kept::ByAll, Needs, Place, Recipe, recipe};

pub(super) const CASES: &[Recipe] = &[
    recipe("names-text", Needs::Nothing, ByAll, text),
    recipe("names-alike", Needs::FileSystem, ByAll, alike),
    recipe("names-long", Needs::FileSystem, ByAll, long),
    recipe("names-of-one-byte", Needs::FileSystem, ByAll, one_byte),
    recipe("names-not-text", Needs::FileSystem, ByAll, not_text),
];

/// What shells, terminals, globs and programs take for something else.
const TEXT: &[&str] = &[
    "-",
    "--",
    "-rf",
    "--help",
    "...",
    "....",
    ".hidden",
    "~",
    "~root",
    " ",
    "   ",
    " leading",
    "trailing ",
    "tab\t",
    "new\nline",
    "\n",
    "carriage\rreturn",
    "\u{1b}[2J\u{1b}[31mred",
    "bell\u{7}",
    "\u{7f}",
    "back\\slash",
    "\\",
    "\\x0a",
    "\\n",
    "%00",
    "%s%n",
    "$HOME",
    "$(reboot)",
    "`reboot`",
    "a;b",
    "a&b",
    "a|b",
    "a>b",
    "quote'",
    "quote\"",
    "*",
    "?",
    "[a]",
    "[!a]",
    "{a,b}",
    "**",
    "a*b",
    "!important",
    "#hash",
    "@at",
    "^",
    "=",
    "+",
    ",",
    ":",
    "a:b",
    "C:",
    "con",
    "NUL",
    "aux.txt",
    "trailing dot.",
    "lost+found",
    ".lbak",
    ".lbakignore",
    "lbak-0",
    "snapshots",
    "packs",
    "config",
    ".git",
    ".gitignore",
    ".nobackup",
    "core",
    "nohup.out",
    "grün",
    "日本語",
    "🦀",
    "\u{202e}txt.exe",
    "\u{200b}",
    "\u{feff}",
    "\u{85}",
    "\u{a0}",
    "e\u{301}\u{301}\u{301}",
];

fn text(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for name in TEXT {
        place.file(name, name)?;
    }
    let directories = place.directory("directories")?;
    for name in TEXT {
        directories.directory(name)?.symlink(name, name)?;
    }
    // Not left out unless that is asked for.
    place.directory("cache")?.file("CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55")?;
    Ok(())
}

/// Names that some file systems take for the same.
fn alike(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    for name in ["readme", "README", "Readme", "\u{e9}", "e\u{301}", "ſ", "s", "S", "ß", "ss", "ﬁ", "fi", "a", "a."]
    {
        place.file(name, name)?;
    }
    Ok(())
}

fn long(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let odd = [0xff_u8; 255];
    let control = [0x01_u8; 255];
    let wide = "日".repeat(85);
    let names: [&[u8]; 5] = [&[b'a'; 255], &[b'-'; 255], wide.as_bytes(), &odd, &control];
    for name in names {
        let directory = place.directory(name)?;
        directory.file(name, b"long")?;
        directory.symlink(&name[..254], name)?;
    }
    Ok(())
}

fn one_byte(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let bytes = (1..=255).filter(|byte| !matches!(byte, b'/' | b'.'));
    bytes.into_iter().try_for_each(|byte: u8| place.file([byte], [byte]).map(drop))
}

fn not_text(place: &Place, _: &AwkwardOptions) -> io::Result<()> {
    let names: [&[u8]; 8] = [
        b"\xff\xfe",
        b"latin \xe9",
        b"cut \xf0\x9f\xa6",
        b"surrogate \xed\xa0\x80",
        b"overlong \xc0\xaf",
        b"mixed \xc3\xa9 \xff \n \\",
        b"\x80",
        b"too high \xf5\x80\x80\x80",
    ];
    for name in names {
        place.file(name, b"not text")?;
        place.directory([b"directory ", name].concat())?.file(name, b"in it")?;
    }
    Ok(())
}
