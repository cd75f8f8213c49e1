//! Owner, attributes, mode and times of what was restored: each in its turn, for each undoes some of those before it.
//!
//! Changing the owner takes set-uid bits and capabilities away, a mode without `w` forbids attributes, and everything
//! moves the time. What can not be set is a finding; the file stays.

use std::{collections::HashSet, os::fd::BorrowedFd, sync::atomic::Ordering};

use lbak_core::{
    error::escape,
    metadata::Timestamp,
    observe::FindingKind,
    patterns::{Choice, Patterns},
    tree::{Attributes, Entry, EntryFlags, Node},
};
use rustix::{
    fs::{Stat, Timespec, Timestamps, UTIME_OMIT, XattrFlags},
    io::{Errno, Result},
};

use crate::{
    inherited::Inherited,
    named::Named,
    owners::{CAPABILITY, SET_USER},
    system,
    target::Target,
    times,
};

/// Where the attributes of what gets its metadata come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'a> {
    /// It was there, and may have some of its own.
    WasThere,
    /// It was made by this restore, and may have some of its directory.
    Made,
    /// It was made by this restore, and this is what it has of its directory: what is right already costs no call.
    MadeWith(&'a Inherited),
}

/// Sets all of it on an open file or directory.
pub(crate) fn set_on_open(
    target: &Target,
    fd: BorrowedFd<'_>,
    entry: &Entry,
    origin: Origin<'_>,
    path: &dyn Fn() -> Vec<u8>,
) {
    let mut unset = Vec::new();
    let was_there = matches!(origin, Origin::WasThere);
    let inherited = if let Origin::MadeWith(inherited) = origin { Some(inherited) } else { None };
    let withheld = target.owners.give(entry, &mut unset, |uid, gid| match inherited {
        Some(inherited) if inherited.is_owner(uid, gid) => Ok(()),
        _ => rustix::fs::fchown(fd, uid, gid),
    });
    if was_there {
        remove_attributes(target, fd, entry, &mut unset);
    }
    set_attributes(target, entry, withheld, &mut unset, |name, value| {
        rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty())
    });
    let may_inherit = inherited.is_none_or(|inherited| inherited.has_lists);
    let is_there = |name: &str| may_inherit && rustix::fs::fgetxattr(fd, name, &mut [0; 0]).is_ok();
    let remove = |name: &str| rustix::fs::fremovexattr(fd, name);
    drop_inherited(target, entry, was_there, &mut unset, is_there, remove);
    set_mode(entry, withheld, &mut unset, |mode| rustix::fs::fchmod(fd, system::mode(mode)));
    note("time", rustix::fs::futimens(fd, &timestamps(entry.mtime)), &mut unset);
    check_time(target, entry, &mut unset, || rustix::fs::fstat(fd));
    tell(target, unset, path);
}

/// Sets all of it on what is never opened: symbolic links, FIFOs, devices. One that `was_there` may have attributes of its own.
pub(crate) fn set_on_named(
    target: &Target,
    named: &Named<'_>,
    entry: &Entry,
    was_there: bool,
    path: &dyn Fn() -> Vec<u8>,
) {
    let mut unset = Vec::new();
    let withheld = target.owners.give(entry, &mut unset, |uid, gid| named.set_owner(uid, gid));
    set_attributes(target, entry, withheld, &mut unset, |name, value| named.set_attribute(name, value));
    if !matches!(entry.node, Node::Symlink { .. }) {
        let is_there = |name: &str| named.attribute(name.as_bytes()).is_some();
        let remove = |name: &str| named.remove_attribute(name.as_bytes());
        drop_inherited(target, entry, was_there, &mut unset, is_there, remove);
        set_mode(entry, withheld, &mut unset, |mode| named.set_mode(mode));
    }
    note("time", named.set_times(&timestamps(entry.mtime)), &mut unset);
    check_time(target, entry, &mut unset, || named.stat());
    tell(target, unset, path);
}

/// Sets on what is there what differs, without opening it; tells whether anything did. What does not differ is not
/// touched: a new time of status would make the next snapshot read the file.
pub(crate) fn mend_on_name(
    target: &Target,
    at: BorrowedFd<'_>,
    name: &[u8],
    entry: &Entry,
    stat: &Stat,
    path: &dyn Fn() -> Vec<u8>,
) -> bool {
    let named = match Named::hold(at, name).and_then(|named| named.expect(system::identity(stat))) {
        Ok(named) => named,
        Err(errno) => {
            tell(target, vec![format!("it is not looked at any more: {errno}")], path);
            return false;
        }
    };
    let (extra, is_missing) =
        differing_attributes(target, entry, named.attribute_names(), |name| named.attribute(name));
    let are_attributes_same = extra.is_empty() && !is_missing || !named.has_attributes();
    let is_same =
        are_attributes_same && is_mode_and_owner(target, stat, entry) && times::is_same(target, stat, entry.mtime);
    if !is_same && !target.dry_run {
        let mut unset = Vec::new();
        if !are_attributes_same && target.owners.uid != 0 && !matches!(entry.node, Node::Symlink { .. }) {
            // Its owner may set attributes of a file only while he may write it; the mode is set again below.
            let _ = named.set_mode(system::permissions(stat) | 0o600);
        }
        extra.iter().for_each(|name| note_attribute(name, named.remove_attribute(name), &mut unset));
        tell(target, unset, path);
        set_on_named(target, &named, entry, true, path);
    }
    !is_same
}

/// Tells whether a directory has all that an entry says of it.
pub(crate) fn is_directory_same(target: &Target, fd: BorrowedFd<'_>, stat: &Stat, entry: &Entry) -> bool {
    let names = || system::attribute_names(|buffer| rustix::fs::flistxattr(fd, buffer));
    let value = |name: &[u8]| system::attribute(|buffer| rustix::fs::fgetxattr(fd, name, buffer));
    is_mode_and_owner(target, stat, entry)
        && times::is_same(target, stat, entry.mtime)
        && matches!(differing_attributes(target, entry, names(), value), (extra, false) if extra.is_empty())
}

/// Tells whether permission bits and owner are those that an entry would get.
pub(crate) fn is_mode_and_owner(target: &Target, stat: &Stat, entry: &Entry) -> bool {
    let is_mode = matches!(entry.node, Node::Symlink { .. })
        || system::permissions(stat) == entry.mode & 0o7777 & !target.owners.left_out(entry);
    let owners = &target.owners;
    let is_owner = owners.wanted(entry).is_none_or(|(user, group)| {
        // Others can not give files away; that they would have to is no difference that they can mend.
        stat.st_gid == group && (stat.st_uid == user || owners.uid != 0) || owners.uid != 0 && stat.st_gid == owners.gid
    });
    is_mode && is_owner
}

/// The attributes that the entry does not have, and whether it has some that are not there.
fn differing_attributes(
    target: &Target,
    entry: &Entry,
    found: Vec<Vec<u8>>,
    value_of: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> (Vec<Vec<u8>>, bool) {
    let wanted: &[(Vec<u8>, Vec<u8>)] = match &entry.attributes {
        Attributes::Inline(pairs) => pairs,
        Attributes::None | Attributes::Stored(_) => &[],
    };
    let extra = extra_attributes(target, found, entry);
    let is_powerless = target.owners.left_out(entry) & SET_USER != 0;
    let is_missing = |(name, value): &(Vec<u8>, Vec<u8>)| {
        is_attribute_wanted(&target.attributes, name)
            && !(is_powerless && name == CAPABILITY)
            && value_of(name).as_ref() != Some(value)
    };
    (extra, wanted.iter().any(is_missing))
}

fn extra_attributes(target: &Target, found: Vec<Vec<u8>>, entry: &Entry) -> Vec<Vec<u8>> {
    // That one is not in the snapshot does not mean that it was not there.
    if entry.flags.contains(EntryFlags::METADATA_INCOMPLETE) {
        return Vec::new();
    }
    let wanted: HashSet<&[u8]> = match &entry.attributes {
        Attributes::Inline(pairs) => {
            let is_powerless = target.owners.left_out(entry) & SET_USER != 0;
            pairs
                .iter()
                .map(|(name, _)| name.as_slice())
                .filter(|&name| !(is_powerless && name == CAPABILITY))
                .collect()
        }
        Attributes::None | Attributes::Stored(_) => HashSet::new(),
    };
    let is_extra = |name: &Vec<u8>| {
        // Labels are given by the system as its policy says, and are not for us to take away.
        is_attribute_wanted(&target.attributes, name)
            && !wanted.contains(name.as_slice())
            && !name.starts_with(b"security.selinux")
    };
    found.into_iter().filter(is_extra).collect()
}

fn is_attribute_wanted(patterns: &Patterns, name: &[u8]) -> bool {
    patterns.is_empty() || patterns.choose(name, name, false) == Choice::Wanted
}

fn remove_attributes(target: &Target, fd: BorrowedFd<'_>, entry: &Entry, unset: &mut Vec<String>) {
    let found = system::attribute_names(|buffer| rustix::fs::flistxattr(fd, buffer));
    for name in extra_attributes(target, found, entry) {
        note_attribute(&name, rustix::fs::fremovexattr(fd, name.as_slice()), unset);
    }
}

fn note_attribute(name: &[u8], outcome: Result<()>, unset: &mut Vec<String>) {
    if let Err(errno) = outcome {
        unset.push(format!("attribute {} not removed: {errno}", escape(name)));
    }
}

fn set_attributes(
    target: &Target,
    entry: &Entry,
    withheld: u32,
    unset: &mut Vec<String>,
    set: impl Fn(&[u8], &[u8]) -> Result<()>,
) {
    // Those that were stored apart have been read by now.
    let Attributes::Inline(pairs) = &entry.attributes else { return };
    let mut is_without = false;
    let is_wanted = |name: &[u8]| {
        is_attribute_wanted(&target.attributes, name) && !(withheld & SET_USER != 0 && name == CAPABILITY)
    };
    for (name, value) in pairs.iter().filter(|(name, _)| is_wanted(name)) {
        match set(name, value) {
            Ok(()) => {}
            Err(Errno::NOTSUP) => is_without = true,
            Err(errno) => unset.push(format!("attribute {}: {errno}", escape(name))),
        }
    }
    if is_without {
        target.owners.without_attributes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes access lists away that came from a directory's default list, and that the entry did not have.
fn drop_inherited(
    target: &Target,
    entry: &Entry,
    was_there: bool,
    unset: &mut Vec<String>,
    is_there: impl Fn(&str) -> bool,
    remove: impl Fn(&str) -> Result<()>,
) {
    // What could not be read then may be what is there now, but what was made just now has nothing of its own: a list that it
    // inherited would open it to more people than the snapshot says.
    if was_there && entry.flags.contains(EntryFlags::METADATA_INCOMPLETE) {
        return;
    }
    let own = match &entry.attributes {
        Attributes::Inline(pairs) => pairs.as_slice(),
        Attributes::None | Attributes::Stored(_) => &[],
    };
    for name in ["system.posix_acl_access", "system.posix_acl_default"] {
        let is_own = own.iter().any(|(own, _)| own == name.as_bytes());
        let can_be = name.ends_with("access") || matches!(entry.node, Node::Directory { .. });
        if !is_own && can_be && is_attribute_wanted(&target.attributes, name.as_bytes()) && is_there(name) {
            note(&format!("inherited {name}"), remove(name), unset);
        }
    }
}

/// File systems bring times that they can not keep to the nearest one they can, without a word.
fn check_time(target: &Target, entry: &Entry, unset: &mut Vec<String>, look: impl Fn() -> Result<Stat>) {
    let wanted = entry.mtime.seconds;
    // Every file system keeps whole seconds from 1970 to 2038; what one makes of their parts needs to be seen once.
    let is_kept = (0..=i64::from(i32::MAX)).contains(&wanted);
    if is_kept && (entry.mtime.nanoseconds == 0 || target.owners.coarse_times.load(Ordering::Relaxed)) {
        return;
    }
    let Ok(stat) = look() else { return };
    let found = system::modified(&stat);
    if found.seconds != wanted {
        unset.push(format!("time: this file system has made {} of {wanted} seconds since 1970", found.seconds));
    } else if found.nanoseconds == 0 && entry.mtime.nanoseconds != 0 {
        target.owners.coarse_times.store(true, Ordering::Relaxed);
    }
}

fn set_mode(entry: &Entry, withheld: u32, unset: &mut Vec<String>, set: impl Fn(u32) -> Result<()>) {
    note("mode", set(entry.mode & 0o7777 & !withheld), unset);
}

fn note(what: &str, outcome: Result<()>, unset: &mut Vec<String>) {
    if let Err(errno) = outcome {
        unset.push(format!("{what}: {errno}"));
    }
}

fn tell(target: &Target, unset: Vec<String>, path: &dyn Fn() -> Vec<u8>) {
    if !unset.is_empty() {
        target.findings.note(FindingKind::MetadataUnset, path(), unset.join("; "));
    }
}

/// The time of access stays what it is: it is not stored.
fn timestamps(modified: Timestamp) -> Timestamps {
    let modified = Timespec { tv_sec: modified.seconds, tv_nsec: modified.nanoseconds.into() };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified }
}
