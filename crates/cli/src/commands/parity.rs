//! `lbak repair add-parity`: recovery data for packs.

use lbak::{Folder, ObjectName, PackId, ParityOptions, ParityReport, Repository};

use crate::{
    arguments::RepairAddParityArguments,
    exit::{Exit, Trouble},
    findings,
    invocation::Invocation,
    json::{self, parity as told},
    opening,
    output::Output,
    progress::Work,
    sizes,
};

pub(super) fn run(arguments: &RepairAddParityArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let packs = arguments.packs.iter().map(|beginning| pack_like(&opened.repository, beginning));
    let packs = packs.collect::<anyhow::Result<Vec<_>>>()?;
    let progress = invocation.progress(Work::Verify);
    let options = ParityOptions {
        dry_run: arguments.dry_run,
        percent: arguments.percent,
        packs,
        read_parity: arguments.read_parity,
        observer: progress.observer(),
        cancellation: invocation.cancellation(),
    };
    let report = lbak::add_parity(&opened.repository, &options)?;
    drop(progress);
    let output = invocation.output;
    if output.is_json() {
        for damage in &report.damage {
            let (object, message) = (damage.object.clone(), damage.what.clone());
            output.json(&json::Damage { message_type: "damage", object, message, more: damage.more })?;
        }
        output.json(&told::ParityAdded::of(&report, arguments.dry_run))?;
    } else {
        tell(output, &report, arguments.dry_run)?;
    }
    findings::tell_reported_misread(output, &report.misread);
    Ok(Exit::damage_if(!report.damage.is_empty()))
}

/// The one pack whose id begins like this.
fn pack_like(repository: &Repository, beginning: &str) -> anyhow::Result<PackId> {
    let digits = beginning.rsplit('/').next().unwrap_or(beginning);
    let mut found = repository.objects_like(Folder::Packs, digits)?;
    match (found.pop(), found.is_empty()) {
        (Some((ObjectName::Pack(pack), _)), true) => Ok(pack),
        (Some(_), false) => {
            Err(Trouble::usage(format!("several packs begin with `{digits}`: give more digits")).into())
        }
        _ => Err(Trouble::new(Exit::Failed, format!("no pack begins with `{digits}`")).into()),
    }
}

fn tell(output: &Output, report: &ParityReport, dry_run: bool) -> anyhow::Result<()> {
    for damage in &report.damage {
        output.line(&format!("damaged: {}: {}", damage.object, damage.what))?;
    }
    let packs = |number| sizes::counted(number, "pack", "packs");
    if report.packs_too_long > 0 {
        output.note(&format!("{} longer than 64 MiB: no parity is made for them", packs(report.packs_too_long)));
    }
    if report.packs_loose > 0 {
        let loose = packs(report.packs_loose);
        output.note(&format!(
            "{loose} in no segment, of runs that are under way or were interrupted: no parity is made for them"
        ));
    }
    if !report.replaced.is_empty() {
        let objects = sizes::counted(report.replaced.len() as u64, "damaged parity object", "damaged parity objects");
        output.note(&format!("{objects} replaced by sound ones: nothing needs what is damaged any more"));
    }
    if report.objects == 0 {
        return output.report(&format!(
            "{} of {} have parity: nothing to do",
            sizes::count(report.packs_skipped),
            packs(report.packs)
        ));
    }
    let verb = if dry_run { "would be covered" } else { "covered" };
    output.report(&format!(
        "{} with {} {verb} by {} of parity; {} had enough",
        packs(report.packs_added),
        sizes::bytes(report.bytes_added),
        sizes::bytes(report.stored_bytes),
        sizes::count(report.packs_skipped),
    ))?;
    let single = report.packs_added - report.packs_outlived;
    if single > 0 {
        output.note(&format!(
            "{} in groups too small to outlive the loss of a whole pack: damage within them is healed",
            packs(single)
        ));
    }
    Ok(())
}
