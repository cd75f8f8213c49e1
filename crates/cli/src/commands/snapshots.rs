//! `lbak snapshots`: lists what can be restored, oldest first, and what can not.

use lbak::{Catalog, ObjectName, Selection, Timestamp};

use crate::{
    arguments::SnapshotsArguments,
    exit::Exit,
    invocation::Invocation,
    json, opening,
    output::Output,
    paths, selecting, sizes,
    tables::{Align, Table},
    times,
};

pub(crate) fn run(arguments: &SnapshotsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let selection = selecting::narrow(&arguments.selection)?;
    let opened = opening::open(invocation, None)?;
    let (catalog, now) = (opened.repository.catalog()?, opened.repository.now());
    let output = invocation.output;
    if output.is_json() {
        tell_programs(output, &catalog, &selection, now)?;
    } else {
        tell(output, &catalog, &selection, now)?;
        selecting::tell_damage(output, &catalog);
    }
    Ok(Exit::damage_if(!opened.repository.damage().is_empty() || !catalog.damaged.is_empty()))
}

fn tell(output: &Output, catalog: &Catalog, selection: &Selection, now: Timestamp) -> anyhow::Result<()> {
    let mut table = Table::new([
        ("ID", Align::Left),
        ("Time", Align::Left),
        ("Host", Align::Left),
        ("Lineage", Align::Left),
        ("Logical", Align::Right),
        ("New", Align::Right),
        ("Stored", Align::Right),
        ("Paths", Align::Left),
        ("Tags", Align::Left),
    ]);
    let (mut shown, mut incomplete, mut future) = (0, 0_u64, 0_u64);
    for snapshot in selection.narrow(catalog) {
        let manifest = &snapshot.manifest;
        let is_from_the_future = manifest.ended_at > now;
        table.row([
            format!("{}{}", manifest.id.short(), if manifest.is_complete { "" } else { " !" }),
            format!("{}{}", times::local(snapshot.moment()), if is_from_the_future { " >" } else { "" }),
            manifest.host.clone(),
            manifest.lineage.name().to_owned(),
            sizes::bytes(manifest.sizes.logical),
            sizes::bytes(manifest.sizes.new),
            sizes::bytes(manifest.sizes.stored),
            paths::joined(manifest.paths.iter().map(Vec::as_slice)),
            manifest.tags.join(","),
        ]);
        shown += 1;
        incomplete += u64::from(!manifest.is_complete);
        future += u64::from(is_from_the_future);
    }
    if shown > 0 {
        table.lines().try_for_each(|line| output.line(&line))?;
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

fn tell_programs(output: &Output, catalog: &Catalog, selection: &Selection, now: Timestamp) -> anyhow::Result<()> {
    for snapshot in selection.narrow(catalog) {
        output.json(&json::Snapshot::of(&snapshot.manifest, now))?;
    }
    for (session, error) in &catalog.damaged {
        let object = ObjectName::Snapshot(*session).to_string();
        output.json(&json::Damage { message_type: "damage", object, message: error.to_string(), more: 0 })?;
    }
    Ok(())
}
