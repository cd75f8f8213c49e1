//! `lbak repair add-parity`: recovery data for packs.

use std::collections::BTreeSet;

use lbak::{Folder, ObjectName, PackId, ParityGroup, ParityOptions, ParityReport, Repository};

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
    told_groups(report).iter().for_each(|line| output.note(line));
    Ok(())
}

/// What the percentage means: how many packs of each group may be lost.
fn told_groups(report: &ParityReport) -> Vec<String> {
    let mut lines = Vec::new();
    let (small, large): (Vec<&ParityGroup>, Vec<&ParityGroup>) =
        report.groups.iter().partition(|group| group.may_lose == 0);
    let counts: BTreeSet<u64> = large.iter().map(|group| group.may_lose).collect();
    for may_lose in counts {
        let groups: Vec<&ParityGroup> = large.iter().copied().filter(|group| group.may_lose == may_lose).collect();
        lines.push(format!("any {may_lose} of {} may be lost as a whole", of_packs(&groups)));
    }
    if let Some(least) = small.iter().map(|group| group.recovery_bytes).min() {
        let (packs, bytes) = (of_packs(&small), sizes::bytes(least));
        let enough = match report.percent_to_outlive {
            Some(percent) => {
                format!("; `--percent {percent}` is the least with which any one of each group may be lost")
            }
            None => String::new(),
        };
        lines.push(format!(
            "of {packs} the longest may not be lost as a whole: up to {bytes} of damage within them is healed{enough}"
        ));
    }
    lines
}

/// How many packs, of how many groups.
fn of_packs(groups: &[&ParityGroup]) -> String {
    let packs = |count| sizes::counted(count, "pack", "packs");
    let least = groups.iter().map(|group| group.packs).min().unwrap_or_default();
    let most = groups.iter().map(|group| group.packs).max().unwrap_or_default();
    match groups.len() {
        1 => packs(most),
        count if least == most => format!("{} in each of {} groups", packs(most), sizes::count(count as u64)),
        count => format!("{} to {} in each of {} groups", sizes::count(least), packs(most), sizes::count(count as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_lost_of_each_group_is_told() {
        let group = |packs, may_lose| ParityGroup { packs, may_lose, recovery_bytes: 1 << 20 };
        let told = |groups: &[ParityGroup], percent_to_outlive| {
            told_groups(&ParityReport { groups: groups.to_vec(), percent_to_outlive, ..ParityReport::default() })
        };
        assert_eq!(told(&[group(20, 1)], None), ["any 1 of 20 packs may be lost as a whole"]);
        assert_eq!(
            told(&[group(20, 1), group(20, 1), group(31, 2)], None),
            [
                "any 1 of 20 packs in each of 2 groups may be lost as a whole",
                "any 2 of 31 packs may be lost as a whole"
            ]
        );
        let lines = told(&[group(20, 1), group(31, 1), group(3, 0)], Some(34));
        assert_eq!(lines[0], "any 1 of 20 to 31 packs in each of 2 groups may be lost as a whole");
        assert!(lines[1].starts_with("of 3 packs the longest may not be lost as a whole: up to "), "{}", lines[1]);
        assert!(lines[1].contains("`--percent 34` is the least"), "{}", lines[1]);
        assert_eq!(told(&[], None), [""; 0]);
    }
}
