//! `lbak repair records`, and what `lbak repair snapshots` tells of records that do not open.

use lbak::{DamagedSlot, FoundAgain};

use crate::{
    exit::Exit,
    findings,
    invocation::Invocation,
    json::{self, repair_records as told},
    opening,
    output::Output,
    progress::Work,
    sizes, times,
};

pub(super) fn run(dry_run: bool, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let progress = invocation.progress(Work::Verify);
    let report = lbak::repair_records(&opened.repository, &super::options(invocation, &progress, dry_run))?;
    drop(progress);
    let output = invocation.output;
    report.notes.iter().for_each(|note| output.note(note));
    findings::tell_reported_misread(output, &report.misread);
    if output.is_json() {
        for (message_type, damage) in report
            .set_aside
            .iter()
            .map(|damage| ("set_aside", damage))
            .chain(report.left.iter().map(|damage| ("damage", damage)))
        {
            let (object, message) = (damage.object.clone(), damage.what.clone());
            output.json(&json::Damage { message_type, object, message, more: damage.more })?;
        }
        output.json(&told::RecordsSummary::of(&report, dry_run))?;
        return Ok(Exit::damage_if(!report.left.is_empty()));
    }
    let aside = if dry_run { "would be set aside" } else { "set aside" };
    for damage in &report.set_aside {
        output.line(&format!("{aside}: {}: {}", damage.object, damage.what))?;
    }
    for damage in &report.left {
        output.line(&format!("left: {}: {}", damage.object, damage.what))?;
    }
    if report.closed > 0 {
        let closed = if dry_run { "would be closed" } else { "closed" };
        output.note(&format!("{} {closed}", sizes::counted(report.closed, "session", "sessions")));
    }
    if !report.left.is_empty() {
        output.note("next: `lbak verify` tells what there is to do about what is left");
    }
    output.report(&match (report.set_aside.len() as u64, report.left.is_empty()) {
        (0, true) => "every record opens: nothing to do".to_owned(),
        (count, _) => format!("{} {aside}", sizes::counted(count, "object", "objects")),
    })?;
    Ok(Exit::damage_if(!report.left.is_empty()))
}

/// Tells of a record of a snapshot that does not open.
pub(super) fn tell_slot(output: &Output, slot: &DamagedSlot, dry_run: bool) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&told::SlotRepaired::of(slot, dry_run));
    }
    output.line(&format!("damaged: {}", slot.what))?;
    if let Some(record) = &slot.announced {
        let author = lbak::escape(record.author.as_bytes());
        output.line(&format!("  it was begun by {author}, {}", times::local(record.started_at)))?;
    }
    let aside = if dry_run { "the record would be set aside" } else { "the record was set aside" };
    output.line(&match &slot.found {
        FoundAgain::Snapshots(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| id.short().to_string()).collect();
            format!("  what it held was found and is snapshot {}; {aside}", ids.join(", "))
        }
        FoundAgain::WouldBe(_) => format!("  what it held was found and would be a new snapshot; {aside}"),
        FoundAgain::Unmended(reason) => format!("  lost: nothing is written of what it held: {reason}; {aside}"),
        FoundAgain::WasNone => format!("  it held no snapshot; {aside}"),
        FoundAgain::Nowhere => {
            format!("  lost: a snapshot that held just what an earlier one holds, or none at all; {aside}")
        }
    })
}
