//! Owner, attributes, mode and times of what was restored: each in its turn, for each undoes some of those before it.
//!
//! Changing the owner takes set-uid bits and capabilities away, a mode without `w` forbids attributes, and everything
//! moves the time. What can not be set is a finding; the file stays.

use std::{
    collections::HashSet,
    os::fd::BorrowedFd,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use lbak_core::{
    error::escape,
    metadata::Timestamp,
    observe::FindingKind,
    patterns::{Choice, Patterns},
    tree::{Attributes, Entry, EntryFlags, Node},
};
use rustix::{
    fs::{Gid, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags},
    io::{Errno, Result},
};

use crate::{named::Named, options::Ownership, people::People, system, target::Target, times};

/// The set-uid and set-gid bits.
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// Whose files this process can make.
pub(crate) struct Owners {
    ownership: Ownership,
    people: People,
    uid: u32,
    gid: u32,
    /// Entries that belong to somebody else.
    foreign: AtomicU64,
    /// Entries that were left without what would have given the power of an owner who was not asked for.
    powerless: AtomicU64,
    /// The target has kept a time to the second, where the snapshot has it more exactly.
    pub(crate) coarse_times: AtomicBool,
    /// Entries whose attributes the file system can not hold.
    without_attributes: AtomicU64,
}

impl Owners {
    pub(crate) fn new(ownership: Ownership) -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let people = if ownership == Ownership::Names { People::read() } else { People::default() };
        Self {
            ownership,
            people,
            uid,
            gid,
            foreign: AtomicU64::new(0),
            powerless: AtomicU64::new(0),
            coarse_times: AtomicBool::new(false),
            without_attributes: AtomicU64::new(0),
        }
    }

    /// The numbers that an entry gets; `None` when it belongs to whoever makes it.
    fn wanted(&self, entry: &Entry) -> Option<(u32, u32)> {
        match self.ownership {
            Ownership::Numbers => Some((entry.uid, entry.gid)),
            Ownership::Names => {
                let user = self.people.user(&entry.user).unwrap_or(entry.uid);
                Some((user, self.people.group(&entry.group).unwrap_or(entry.gid)))
            }
            Ownership::Nobody => None,
        }
    }

    /// What an entry gets nothing of because its owner was not asked for, and is another.
    fn left_out(&self, entry: &Entry) -> u32 {
        if self.ownership != Ownership::Nobody || matches!(entry.node, Node::Directory { .. }) {
            return 0;
        }
        let is_mine = |stored: u32, mine: u32, bit: u32| if stored == mine { 0 } else { bit };
        is_mine(entry.uid, self.uid, SET_USER) | is_mine(entry.gid, self.gid, SET_GROUP)
    }

    /// Sets the owner as far as that is allowed, and returns those bits that may not be set without it. The power of a capability
    /// comes from an owner too: it goes with the bit of the user.
    fn give(
        &self,
        entry: &Entry,
        unset: &mut Vec<String>,
        change: impl Fn(Option<Uid>, Option<Gid>) -> Result<()>,
    ) -> u32 {
        let withheld = self.try_to_give(entry, unset, change);
        // On a directory the bit only says whose group new files get.
        let withheld = if matches!(entry.node, Node::Directory { .. }) { 0 } else { withheld };
        let (bits, has_capability) = (entry.mode & withheld, withheld & SET_USER != 0 && has_capability(entry));
        // Who asked for no owner asked for this, too: it is said once for all.
        if self.ownership == Ownership::Nobody {
            self.powerless.fetch_add(u64::from(bits != 0 || has_capability), Ordering::Relaxed);
            return withheld;
        }
        if bits != 0 {
            unset.push(format!("mode bits {bits:04o}: its owner could not be set"));
        }
        if has_capability {
            unset.push("attribute security.capability: its owner could not be set".to_owned());
        }
        withheld
    }

    /// Sets the owner as far as that is allowed, and returns the mode bits that ask for it.
    ///
    /// Only root gives files away; that others do not get theirs is told once, in the end. A set-uid program that belonged to
    /// somebody else would run with the rights of whoever restored it.
    fn try_to_give(
        &self,
        entry: &Entry,
        unset: &mut Vec<String>,
        change: impl Fn(Option<Uid>, Option<Gid>) -> Result<()>,
    ) -> u32 {
        let Some((user, group)) = self.wanted(entry) else { return self.left_out(entry) };
        if user == u32::MAX || group == u32::MAX {
            unset.push("its owner has no valid number".into());
            return SET_USER | SET_GROUP;
        }
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(group));
        if self.uid == 0 {
            return match change(Some(uid), Some(gid)) {
                Ok(()) => 0,
                // A file system without owners, or a namespace that knows no such number: for all of them alike.
                Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP) => {
                    self.foreign.fetch_add(1, Ordering::Relaxed);
                    SET_USER | SET_GROUP
                }
                Err(errno) => {
                    unset.push(format!("owner {user}:{group}: {errno}"));
                    SET_USER | SET_GROUP
                }
            };
        }
        let mut withheld = 0;
        if user != self.uid {
            withheld |= SET_USER;
        }
        // His own group too: in a set-gid directory a new file has got that directory's.
        if change(None, Some(gid)).is_err() {
            withheld |= SET_GROUP;
        }
        if withheld != 0 {
            self.foreign.fetch_add(1, Ordering::Relaxed);
        }
        withheld
    }

    /// What was asked for, and is to be said once in the end.
    pub(crate) fn note(&self) -> Option<String> {
        let powerless = self.powerless.load(Ordering::Relaxed);
        let what = "set-user-id and set-group-id bits and capabilities left out";
        (powerless > 0).then(|| format!("{what} of {powerless} entries: they are only set with their owner"))
    }

    /// What is to be said in the end.
    pub(crate) fn summary(&self) -> Vec<String> {
        let mut summary = Vec::new();
        let foreign = self.foreign.load(Ordering::Relaxed);
        if foreign > 0 {
            let why = if self.uid == 0 { "this target does not allow it" } else { "only root can give files away" };
            summary.push(format!("owner or group of {foreign} entries not set: {why}"));
        }
        let without = self.without_attributes.load(Ordering::Relaxed);
        if without > 0 {
            summary.push(format!("extended attributes of {without} entries not set: the file system has none"));
        }
        if self.coarse_times.load(Ordering::Relaxed) {
            summary.push("times are kept to the second here: the file system has no parts of seconds".to_owned());
        }
        summary
    }
}

/// The attribute that gives a program a part of what root may do.
const CAPABILITY: &[u8] = b"security.capability";

fn has_capability(entry: &Entry) -> bool {
    matches!(&entry.attributes, Attributes::Inline(pairs) if pairs.iter().any(|(name, _)| name == CAPABILITY))
}

/// Sets all of it on an open file or directory. One that `was_there` may have attributes of its own.
pub(crate) fn set_on_open(
    target: &Target,
    fd: BorrowedFd<'_>,
    entry: &Entry,
    was_there: bool,
    path: &dyn Fn() -> Vec<u8>,
) {
    let mut unset = Vec::new();
    let withheld = target.owners.give(entry, &mut unset, |uid, gid| rustix::fs::fchown(fd, uid, gid));
    if was_there {
        remove_attributes(target, fd, entry, &mut unset);
    }
    set_attributes(target, entry, withheld, &mut unset, |name, value| {
        rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty())
    });
    let is_there = |name: &str| rustix::fs::fgetxattr(fd, name, &mut [0; 0]).is_ok();
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
