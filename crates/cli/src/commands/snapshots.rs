//! `lbak snapshots`: lists what can be restored, oldest first, and what can not.

use std::collections::BTreeMap;

use lbak::{Catalog, Committed, Manifest, ObjectName, SourceKind, Timestamp, escape};

use crate::{
    arguments::{GroupArgument, SnapshotsArguments},
    exit::Exit,
    invocation::Invocation,
    json, opening,
    output::Output,
    paths, selecting, sizes,
    tables::{Align, Table, screen_width, wrap},
    times,
};

/// What is said of a snapshot behind its line stands below the times.
const INDENT: usize = 10;

pub(crate) fn run(arguments: &SnapshotsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let (catalog, now) = (opened.repository.catalog()?, opened.repository.now());
    let grouping = Grouping::of(&arguments.group_by);
    let chosen = chosen(arguments, &catalog, now)?;
    let groups = grouping.groups(chosen.into_iter(), arguments.latest);
    let output = invocation.output;
    if output.is_json() {
        tell_programs(output, &catalog, groups.into_values().flatten().collect(), now)?;
    } else {
        tell(output, &grouping, &groups, arguments.compact, now)?;
        selecting::tell_damage(output, &catalog);
    }
    Ok(Exit::damage_if(!opened.repository.damage().is_empty() || !catalog.damaged.is_empty()))
}

/// Those that are named, or all; oldest first.
fn chosen<'c>(
    arguments: &SnapshotsArguments,
    catalog: &'c Catalog,
    now: Timestamp,
) -> anyhow::Result<Vec<&'c Committed>> {
    let mut left: Vec<&Committed> = selecting::narrow(&arguments.selection)?.narrow(catalog).collect();
    if arguments.snapshots.is_empty() {
        return Ok(left);
    }
    let mut named = Vec::new();
    for name in &arguments.snapshots {
        named.push(selecting::choose_one(catalog, now, (name, None), &arguments.selection)?.session);
    }
    left.retain(|snapshot| named.contains(&snapshot.session));
    Ok(left)
}

/// What the snapshots of a group have in common.
struct Grouping {
    host: bool,
    paths: bool,
    tags: bool,
}

/// Host, paths and tags, as far as they count.
type GroupKey<'a> = (Option<&'a str>, Option<&'a [Vec<u8>]>, Option<Vec<&'a str>>);

type Groups<'a> = BTreeMap<GroupKey<'a>, Vec<&'a Committed>>;

impl Grouping {
    fn of(arguments: &[GroupArgument]) -> Self {
        let has = |argument| arguments.contains(&argument);
        Self { host: has(GroupArgument::Host), paths: has(GroupArgument::Paths), tags: has(GroupArgument::Tags) }
    }

    fn is_any(&self) -> bool {
        self.host || self.paths || self.tags
    }

    fn key<'a>(&self, manifest: &'a Manifest) -> GroupKey<'a> {
        let tags = || {
            let mut tags: Vec<&str> = manifest.tags.iter().map(String::as_str).collect();
            tags.sort_unstable();
            tags
        };
        let (host, paths) = (self.host.then_some(&*manifest.host), self.paths.then_some(&*manifest.paths));
        (host, paths, self.tags.then(tags))
    }

    /// The groups, each oldest first, and of each the newest.
    fn groups<'a>(&self, snapshots: impl Iterator<Item = &'a Committed>, latest: Option<usize>) -> Groups<'a> {
        let mut groups = Groups::new();
        for snapshot in snapshots {
            groups.entry(self.key(&snapshot.manifest)).or_default().push(snapshot);
        }
        if let Some(latest) = latest {
            for group in groups.values_mut() {
                group.drain(..group.len().saturating_sub(latest));
            }
            groups.retain(|_, group| !group.is_empty());
        }
        groups
    }

    /// `/srv/models on host db1, tags nightly, pg`.
    fn heading(&self, manifest: &Manifest) -> String {
        let mut heading = match (self.host, self.paths) {
            (true, true) => selecting::source_of(manifest),
            (true, false) => format!("host {}", escape(manifest.host.as_bytes())),
            (false, true) => paths_of(manifest),
            (false, false) => String::new(),
        };
        if self.tags {
            heading.push_str(if heading.is_empty() { "" } else { ", " });
            let tags = manifest.tags.join(", ");
            heading.push_str(&if tags.is_empty() { "no tags".to_owned() } else { format!("tags {tags}") });
        }
        heading
    }
}

fn paths_of(manifest: &Manifest) -> String {
    paths::joined(manifest.paths.iter().map(Vec::as_slice))
}

fn tell(
    output: &Output,
    grouping: &Grouping,
    groups: &Groups<'_>,
    is_compact: bool,
    now: Timestamp,
) -> anyhow::Result<()> {
    let (mut shown, mut incomplete, mut future) = (0, 0_u64, 0_u64);
    for group in groups.values() {
        if let Some(first) = group.first().filter(|_| grouping.is_any()) {
            if shown > 0 {
                output.line("")?;
            }
            wrap(&grouping.heading(&first.manifest), screen_width(), 2).try_for_each(|line| output.line(&line))?;
        }
        match is_compact {
            true => tell_compact(output, grouping, group, now)?,
            false => tell_group(output, grouping, group, now)?,
        }
        shown += group.len() as u64;
        incomplete += group.iter().filter(|snapshot| !snapshot.manifest.is_complete).count() as u64;
        future += group.iter().filter(|snapshot| snapshot.manifest.ended_at > now).count() as u64;
    }
    output.report(&sizes::counted(shown, "snapshot", "snapshots"))?;
    if incomplete > 0 {
        output.report("! incomplete: something that was there could not be read, or kept changing")?;
    }
    if future > 0 {
        output.report("> dated in the future: a clock is wrong, here or where it was taken")?;
    }
    Ok(())
}

/// Three sizes, and what does not fit into the line below it.
fn tell_group(output: &Output, grouping: &Grouping, group: &[&Committed], now: Timestamp) -> anyhow::Result<()> {
    let mut columns = vec![("ID", Align::Left), ("Time", Align::Left)];
    columns.extend((!grouping.host).then_some(("Host", Align::Left)));
    columns.extend([("Kind", Align::Left), ("Logical", Align::Right), ("New", Align::Right), ("Stored", Align::Right)]);
    let mut table = Table::of(&columns);
    for snapshot in group {
        let manifest = &snapshot.manifest;
        let mut cells = Vec::from(id_and_time(snapshot, now));
        cells.extend((!grouping.host).then(|| manifest.host.clone()));
        cells.extend([
            kind(manifest).to_owned(),
            sizes::bytes(manifest.sizes.logical),
            sizes::bytes(manifest.sizes.new),
            sizes::bytes(manifest.sizes.stored),
        ]);
        table.add(cells);
    }
    let width = screen_width();
    let mut lines = table.lines();
    lines.next().map_or(Ok(()), |heading| output.line(&heading))?;
    for (snapshot, mut line) in group.iter().zip(lines) {
        let manifest = &snapshot.manifest;
        let mut below = Vec::new();
        if !grouping.paths {
            below.push(paths_of(manifest));
        }
        below.extend(command(output, &manifest.source));
        let tags = if grouping.tags { String::new() } else { manifest.tags.join(", ") };
        let is_fitting = line.chars().count() + 2 + tags.chars().count() <= width;
        match (tags.is_empty(), is_fitting) {
            (true, _) => {}
            (false, true) => line.push_str(&format!("  {tags}")),
            (false, false) => below.push(format!("tags {tags}")),
        }
        below.extend(Some(manifest.description.clone()).filter(|description| !description.is_empty()));
        output.line(&line)?;
        for text in below {
            let indent = " ".repeat(INDENT);
            wrap(&text, width - INDENT, 0).try_for_each(|line| output.line(&format!("{indent}{line}")))?;
        }
    }
    Ok(())
}

/// The command whose output it is, when that much is asked for.
fn command(output: &Output, source: &SourceKind) -> Option<String> {
    match source {
        SourceKind::Command { words, .. } if output.is_verbose() => {
            Some(format!("output of `{}`", lbak::words_for_people(words.iter().map(Vec::as_slice))))
        }
        _ => None,
    }
}

/// One line each.
fn tell_compact(output: &Output, grouping: &Grouping, group: &[&Committed], now: Timestamp) -> anyhow::Result<()> {
    let mut columns = vec![("ID", Align::Left), ("Time", Align::Left)];
    columns.extend((!grouping.host).then_some(("Host", Align::Left)));
    columns.extend((!grouping.paths).then_some(("Paths", Align::Left)));
    columns.extend((!grouping.tags).then_some(("Tags", Align::Left)));
    let mut table = Table::of(&columns);
    for snapshot in group {
        let manifest = &snapshot.manifest;
        let mut cells = Vec::from(id_and_time(snapshot, now));
        cells.extend((!grouping.host).then(|| manifest.host.clone()));
        cells.extend((!grouping.paths).then(|| paths_of(manifest)));
        cells.extend((!grouping.tags).then(|| manifest.tags.join(", ")));
        table.add(cells);
    }
    table.lines().try_for_each(|line| output.line(&line))
}

fn id_and_time(snapshot: &Committed, now: Timestamp) -> [String; 2] {
    let manifest = &snapshot.manifest;
    let is_from_the_future = manifest.ended_at > now;
    [
        format!("{}{}", manifest.id.short(), if manifest.is_complete { "" } else { " !" }),
        format!("{}{}", times::local(snapshot.moment()), if is_from_the_future { " >" } else { "" }),
    ]
}

/// The lineage, in four letters.
fn kind(manifest: &Manifest) -> &'static str {
    manifest.lineage.name().get(..4).unwrap_or_default()
}

fn tell_programs(
    output: &Output,
    catalog: &Catalog,
    mut snapshots: Vec<&Committed>,
    now: Timestamp,
) -> anyhow::Result<()> {
    snapshots.sort_by_key(|snapshot| snapshot.order());
    for snapshot in snapshots {
        output.json(&json::Snapshot::of(&snapshot.manifest, now))?;
    }
    for (session, error) in &catalog.damaged {
        let object = ObjectName::Snapshot(*session).to_string();
        output.json(&json::Damage { message_type: "damage", object, message: error.to_string(), more: 0 })?;
    }
    Ok(())
}
