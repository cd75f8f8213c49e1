//! `lbak repair`: mends the index, packs and snapshots.

mod records;

use lbak::{
    DamagedPack, Depth, FoundAgain, Healed, IndexRepairReport, Mended, MendedSnapshot, ObjectName, PacksRepairReport,
    Pick, RepairOptions, Selection,
};

use crate::{
    arguments::{RepairArguments, RepairCommand, RepairPacksArguments, RepairSnapshotsArguments},
    environment,
    exit::Exit,
    findings,
    invocation::Invocation,
    json::{self, repair as told},
    opening,
    output::Output,
    progress::{Progress, Work},
    sizes,
};

pub(crate) fn run(arguments: &RepairArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    match &arguments.command {
        RepairCommand::Config(arguments) => config(arguments.dry_run, invocation),
        RepairCommand::Index(arguments) => index(arguments.dry_run, invocation),
        RepairCommand::Packs(arguments) => packs(arguments, invocation),
        RepairCommand::Snapshots(arguments) => snapshots(arguments, invocation),
        RepairCommand::Records(arguments) => records::run(arguments.dry_run, invocation),
        RepairCommand::AddParity(arguments) => super::parity::run(arguments, invocation),
    }
}

fn options(invocation: &Invocation<'_>, progress: &Progress, dry_run: bool) -> RepairOptions {
    RepairOptions {
        dry_run,
        host: environment::host(),
        user: environment::user(),
        observer: progress.observer(),
        cancellation: invocation.cancellation(),
        ..RepairOptions::default()
    }
}

fn config(dry_run: bool, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let damage = repository.config_damage()?;
    let by = format!("{}@{}", environment::user(), environment::host());
    let is_changed = damage.is_some() && !dry_run && repository.mend_config(&by)?;
    if output.is_json() {
        output.json(&told::ConfigRepaired::of(damage.is_some(), is_changed, dry_run))?;
    } else if let Some(damage) = &damage {
        output.line(&format!("damaged: {damage}"))?;
        output.report(match (dry_run, is_changed) {
            (true, _) => "config would be written anew from the copy in the key slot",
            (false, true) => "config was written anew from the copy in the key slot",
            (false, false) => "read once more, config is as it should be: nothing was changed",
        })?;
    } else {
        output.report("config is as it should be: nothing to do")?;
    }
    Ok(Exit::damage_if(damage.is_some() && dry_run))
}

fn index(dry_run: bool, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let progress = invocation.progress(Work::Verify);
    let report = lbak::repair_index(&opened.repository, &options(invocation, &progress, dry_run))?;
    drop(progress);
    let output = invocation.output;
    if output.is_json() {
        for damage in &report.damage {
            let (object, message) = (damage.object.clone(), damage.what.clone());
            output.json(&json::Damage { message_type: "damage", object, message, more: damage.more })?;
        }
        output.json(&told::IndexRepaired::of(&report, dry_run))?;
    } else {
        tell_index(output, &report, dry_run)?;
    }
    findings::tell_reported_misread(output, &report.misread);
    Ok(Exit::damage_if(!report.is_whole()))
}

fn tell_index(output: &Output, report: &IndexRepairReport, dry_run: bool) -> anyhow::Result<()> {
    for damage in &report.damage {
        output.line(&format!("damaged: {}: {}", damage.object, damage.what))?;
    }
    for pack in &report.packs_unknown {
        output.line(&format!("unknown: what packs/{}/{pack} holds can not be told", &pack.to_string()[..2]))?;
    }
    let packs = |number| sizes::counted(number, "pack", "packs");
    if report.packs_left > 0 {
        let left = packs(report.packs_left);
        output.note(&format!("{left} of snapshots that are being taken, or were interrupted, left as they are"));
    }
    if !report.is_changed {
        return output.report(&format!("the index tells of everything in {}: nothing to do", packs(report.packs)));
    }
    let (indexed, aside) = if dry_run { ("would be indexed", "would be set aside") } else { ("indexed", "set aside") };
    let chunks = sizes::counted(report.chunks_indexed, "chunk", "chunks");
    let mut text = format!("{} of {} {indexed} anew, with {chunks}", packs(report.packs_indexed), packs(report.packs));
    if report.packs_carried > 0 {
        text.push_str(&format!(", {} more from damaged segments", packs(report.packs_carried)));
    }
    let segments = sizes::counted(report.segments_set_aside, "segment", "segments");
    output.report(&format!("{text}; {segments} {aside}"))
}

fn packs(arguments: &RepairPacksArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let from = arguments.from.iter().map(|folder| opening::open_copy(invocation, folder));
    let from = from.collect::<anyhow::Result<Vec<_>>>()?;
    let progress = invocation.progress(Work::Verify);
    let dry_run = arguments.dry_run;
    let options = RepairOptions { packs: arguments.packs.clone(), from, ..options(invocation, &progress, dry_run) };
    let report = lbak::repair_packs(&opened.repository, &options)?;
    drop(progress);
    let output = invocation.output;
    report.notes.iter().for_each(|note| output.note(note));
    findings::tell_reported_misread(output, &report.misread);
    for (copy, folder) in options.from.iter().zip(&arguments.from) {
        let of_copy = |name: &ObjectName| format!("{name} of the copy in {}", folder.display());
        findings::tell_misread(output, copy.misread().take().iter().map(of_copy));
    }
    if output.is_json() {
        for pack in &report.damaged {
            output.json(&told::PackRepaired::of(pack, dry_run))?;
        }
        output.json(&told::PacksSummary::of(&report, dry_run))?;
    } else {
        tell_packs(output, &report, dry_run)?;
    }
    Ok(Exit::damage_if(!report.is_whole()))
}

fn tell_packs(output: &Output, report: &PacksRepairReport, dry_run: bool) -> anyhow::Result<()> {
    for pack in &report.damaged {
        output.line(&described(pack))?;
    }
    for pack in &report.newer {
        output.line(&format!("left alone: packs/{}/{pack}: a newer lbak wrote it", &pack.to_string()[..2]))?;
    }
    let read = sizes::counted(report.packs_read, "pack", "packs");
    if report.damaged.is_empty() {
        return output.report(&format!("{read} read, none damaged: nothing to do"));
    }
    let damaged = sizes::count(report.damaged.len() as u64);
    let stored = if dry_run { String::new() } else { format!(", {} stored", sizes::bytes(report.stored_bytes)) };
    output.report(&format!("{read} read, {damaged} damaged{stored}"))?;
    if report.lost_chunks() > 0 {
        output.note("a new snapshot of the same data stores what is lost; `lbak verify` names who needs it");
    }
    Ok(())
}

fn described(pack: &DamagedPack) -> String {
    let id = pack.pack.to_string();
    let mut text = format!("damaged: packs/{}/{id}: {}:", &id[..2], pack.what);
    if !pack.is_known {
        return text + " nothing tells what it held";
    }
    if pack.healed == Some(Healed::PutBack) {
        return text + " healed by parity, it is whole again";
    }
    let chunks = |number| sizes::counted(number, "chunk", "chunks");
    text.push_str(&format!(" {} salvaged", chunks(pack.salvaged_chunks)));
    if pack.healed_chunks > 0 {
        text.push_str(&format!(" ({} healed by parity)", sizes::count(pack.healed_chunks)));
    }
    if pack.copied_chunks > 0 {
        text.push_str(&format!(" ({} from a copy)", sizes::count(pack.copied_chunks)));
    }
    if pack.elsewhere_chunks > 0 {
        text.push_str(&format!(", {} sound elsewhere", sizes::count(pack.elsewhere_chunks)));
    }
    text + &format!(", {} lost ({})", sizes::count(pack.lost_chunks), sizes::bytes(pack.lost_bytes))
}

fn snapshots(arguments: &RepairSnapshotsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let repository = &opened.repository;
    let mut wanted = Vec::new();
    if !arguments.snapshots.is_empty() {
        let catalog = repository.catalog()?;
        for text in &arguments.snapshots {
            let selection = Selection { pick: Pick::parse(text)?, ..Selection::default() };
            wanted.push(selection.choose(&catalog, repository.now())?.snapshot.manifest.id);
        }
    }
    let progress = invocation.progress(Work::Verify);
    let dry_run = arguments.dry_run;
    let depth = arguments.read_data.map_or(Depth::Structure, |share| Depth::ReadData { share });
    let options = RepairOptions { snapshots: wanted, depth, ..options(invocation, &progress, dry_run) };
    let report = lbak::repair_snapshots(repository, &options)?;
    drop(progress);
    let output = invocation.output;
    findings::tell_reported_misread(output, &report.misread);
    for snapshot in &report.hurt {
        match output.is_json() {
            true => output.json(&told::SnapshotRepaired::of(snapshot, dry_run))?,
            false => output.line(&outcome_of(snapshot))?,
        }
    }
    for slot in &report.slots {
        records::tell_slot(output, slot, dry_run)?;
    }
    if output.is_json() {
        output.json(&told::SnapshotsSummary::of(&report, dry_run))?;
    } else {
        let checked = sizes::counted(report.checked, "snapshot", "snapshots");
        output.report(&match report.hurt.len() as u64 {
            0 if report.slots.is_empty() => format!("{checked} looked at, nothing is lost: nothing to do"),
            0 => format!("{checked} looked at, nothing of them is lost"),
            hurt => format!("{checked} looked at, {} of them lack something", sizes::count(hurt)),
        })?;
    }
    let is_lost = report.slots.iter().any(|slot| matches!(slot.found, FoundAgain::Nowhere | FoundAgain::Unmended(_)));
    Ok(Exit::damage_if(!report.hurt.is_empty() || is_lost))
}

fn outcome_of(snapshot: &MendedSnapshot) -> String {
    let files = sizes::counted(snapshot.lost_files, "file", "files");
    let directories = sizes::counted(snapshot.lost_directories, "directory", "directories");
    let lost = format!("{files} with {} and {directories} lack content", sizes::bytes(snapshot.lost_bytes));
    let what = match snapshot.outcome {
        Mended::Written(id) => format!("{lost}; what is left is snapshot {}", id.short()),
        Mended::WouldBe => format!("{lost}; what is left would be a new snapshot"),
        Mended::Already(id) => format!("{lost}; what is left is snapshot {} already", id.short()),
        Mended::Nothing => "not even its list of directories can be read: nothing is left".to_owned(),
        Mended::TooMuch => {
            let reason = snapshot.reason.as_deref().unwrap_or("it shows far more than it counts");
            format!("nothing is written of it: {reason}")
        }
    };
    format!("hurt: snapshot {}: {what}", snapshot.snapshot.short())
}

#[cfg(test)]
mod tests {
    use lbak::SnapshotId;

    use super::*;

    #[test]
    fn why_nothing_is_written_of_a_snapshot_is_told() {
        let told = |outcome, reason: &str| {
            outcome_of(&MendedSnapshot {
                snapshot: SnapshotId([0x1f; 16]),
                outcome,
                lost_files: 0,
                lost_directories: 0,
                lost_bytes: 0,
                finding_counts: Vec::new(),
                reason: Some(reason.to_owned()),
            })
        };
        let reason = "snapshot 1f1f is damaged: its directories show far more than the 3 entries that it counts";
        let text = told(Mended::TooMuch, reason);
        assert!(
            text.starts_with("hurt: snapshot 1f1f") && text.ends_with(&format!(": nothing is written of it: {reason}"))
        );
        assert!(told(Mended::Nothing, "a tree is missing").ends_with("nothing is left"));
    }
}
