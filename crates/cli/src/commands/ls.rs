//! `lbak ls`: lists what is in a snapshot.

use lbak::{Entry, Error, ListedEntry, Node, escape};

use crate::{
    arguments::LsArguments,
    exit::Exit,
    findings,
    invocation::Invocation,
    json, opening,
    output::Output,
    paths,
    selecting::{self, Choice},
    sizes, times,
};

pub(crate) fn run(arguments: &LsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let (snapshot, path) = paths::split_snapshot(&arguments.snapshot);
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let Choice { manifest, exit } =
        selecting::choose(repository, output, snapshot, arguments.at.as_deref(), &arguments.selection)?;
    if output.is_json() {
        output.json(&json::Snapshot::of(&manifest, repository.now()))?;
    }
    let mut failed = None;
    let listed = lbak::list(repository, &manifest, path, arguments.recursive, &mut |listed| {
        invocation.signals.cancellation().check()?;
        let told = tell(output, arguments.long, &listed);
        // Nobody reads on: there is no use in listing on.
        if told.is_err() || output.is_closed() {
            failed = told.err();
            return Err(Error::Cancelled);
        }
        Ok(())
    });
    let report = match (failed, listed) {
        (Some(error), _) => return Err(error),
        (None, Err(Error::Cancelled)) if output.is_closed() => return Ok(exit),
        (None, listed) => listed?,
    };
    if output.is_json() {
        report.findings.iter().try_for_each(|finding| output.json(&json::Finding::of(finding)))?;
    }
    findings::tell(output, &report.finding_counts, &report.findings);
    let is_damaged = report.lost > 0 || !repository.damage().is_empty();
    Ok(exit.or_worse(findings::exit(&report.finding_counts)).or_worse(Exit::damage_if(is_damaged)))
}

fn tell(output: &Output, is_long: bool, listed: &ListedEntry<'_>) -> anyhow::Result<()> {
    let (path, entry) = (escape(&listed.path), listed.entry);
    if output.is_json() {
        return output.json(&node(path, entry));
    }
    if !is_long {
        return output.line(&path);
    }
    let target = match &entry.node {
        Node::Symlink { target } => format!(" -> {}", escape(target)),
        _ => String::new(),
    };
    output.line(&format!(
        "{} {:<8} {:<8} {:>9} {} {path}{target}",
        permissions(entry),
        owner(&entry.user, entry.uid),
        owner(&entry.group, entry.gid),
        sizes::bytes(entry.size),
        times::local(entry.mtime),
    ))
}

fn owner(name: &[u8], number: u32) -> String {
    if name.is_empty() { number.to_string() } else { escape(name) }
}

/// `drwxr-xr-x`, as `ls -l` shows it.
fn permissions(entry: &Entry) -> String {
    let mode = entry.mode;
    let mut text = String::from(match entry.node {
        Node::File { .. } => '-',
        Node::Directory { .. } => 'd',
        Node::Symlink { .. } => 'l',
        Node::Fifo => 'p',
        Node::CharacterDevice { .. } => 'c',
        Node::BlockDevice { .. } => 'b',
        Node::Socket => 's',
    });
    for (shift, special_bit, special) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode & special_bit != 0, bits & 1 != 0) {
            (true, true) => special,
            (true, false) => special.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn node(path: String, entry: &Entry) -> json::Node {
    let (kind, linktarget) = match &entry.node {
        Node::File { .. } => ("file", None),
        Node::Directory { .. } => ("dir", None),
        Node::Symlink { target } => ("symlink", Some(escape(target))),
        Node::Fifo => ("fifo", None),
        Node::CharacterDevice { .. } => ("chardev", None),
        Node::BlockDevice { .. } => ("dev", None),
        Node::Socket => ("socket", None),
    };
    json::Node {
        message_type: "node",
        path,
        name: escape(&entry.name),
        kind,
        mode: entry.mode,
        permissions: permissions(entry),
        uid: entry.uid,
        gid: entry.gid,
        user: escape(&entry.user),
        group: escape(&entry.group),
        size: entry.size,
        mtime: times::rfc3339(entry.mtime),
        ctime: times::rfc3339(entry.ctime),
        inode: entry.inode,
        linktarget,
    }
}
