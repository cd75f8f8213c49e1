//! `lbak verify`: checks a repository; silent when it is sound and nobody watches.

use anyhow::Context;
use lbak::{Depth, VerifyOptions, VerifyReport};

use crate::{
    arguments::VerifyArguments,
    exit::Exit,
    invocation::Invocation,
    json,
    opening::{self, Place},
    output::Output,
    progress::{Progress, Work},
    sizes,
};

pub(crate) fn run(arguments: &VerifyArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let report = check(arguments, invocation)?;
    let output = invocation.output;
    if output.is_json() {
        tell_programs(output, &report)?;
    } else {
        tell(output, &report)?;
    }
    Ok(Exit::damage_if(!report.is_sound()))
}

fn check(arguments: &VerifyArguments, invocation: &Invocation<'_>) -> anyhow::Result<VerifyReport> {
    let options = |progress: &Progress| VerifyOptions {
        depth: arguments
            .read_data
            .or(arguments.read_data_subset)
            .map_or(Depth::Structure, |share| Depth::ReadData { share }),
        observer: progress.observer(),
        cancellation: invocation.cancellation(),
    };
    if arguments.no_key {
        let backend = opening::open_backend(invocation, &Place::meant(invocation)?)?;
        invocation.signals.listen().context("cannot listen for signals")?;
        let progress = invocation.progress(Work::Verify);
        return Ok(lbak::verify_without_key(&*backend, &options(&progress))?);
    }
    let opened = opening::open(invocation, arguments.threads)?;
    let progress = invocation.progress(Work::Verify);
    Ok(lbak::verify(&opened.repository, &options(&progress))?)
}

fn tell(output: &Output, report: &VerifyReport) -> anyhow::Result<()> {
    for damage in &report.damage {
        let more = match damage.more {
            0 => String::new(),
            more => format!(" (and {} more)", sizes::count(more)),
        };
        output.line(&format!("damaged: {}: {}{more}", damage.object, damage.what))?;
    }
    for hurt in &report.hurt {
        let paths = sizes::counted(hurt.path_count, "path", "paths");
        output.line(&format!("hurt: snapshot {}, {paths}:", hurt.snapshot.short()))?;
        for path in &hurt.paths {
            output.line(&format!("  {}", lbak::escape(path)))?;
        }
        let untold = hurt.path_count.saturating_sub(hurt.paths.len() as u64);
        if untold > 0 {
            output.line(&format!("  … and {} more", sizes::count(untold)))?;
        }
    }
    // A nightly job should hear from a sound repository by its exit code alone.
    if !report.is_sound() || output.is_verbose() || Output::is_watched() {
        tell_notes(output, report);
        summary(report).lines().for_each(|line| output.note(line));
    }
    Ok(())
}

/// Told at the end, unless each was told when it was found.
fn tell_notes(output: &Output, report: &VerifyReport) {
    if !output.is_verbose() {
        report.notes.iter().for_each(|note| output.note(note));
    }
}

fn summary(report: &VerifyReport) -> String {
    let seconds = report.elapsed.as_secs_f64();
    let mut text = match report.damage.len() as u64 {
        0 => "sound".to_owned(),
        damaged => format!("damage in {}", sizes::counted(damaged, "object", "objects")),
    };
    text.push_str(&format!("; checked {}", sizes::counted(report.objects, "object", "objects")));
    // Without a key nothing is known of these.
    if report.snapshots > 0 {
        let snapshots = sizes::counted(report.snapshots, "snapshot", "snapshots");
        let trees = sizes::counted(report.trees, "tree", "trees");
        let chunks = sizes::counted(report.chunks, "chunk", "chunks");
        text.push_str(&format!(", {snapshots}, {trees}, {chunks}"));
    }
    text + &format!("\n  read {}", sizes::in_time(report.bytes_read, report.bytes_read, seconds))
}

fn tell_programs(output: &Output, report: &VerifyReport) -> anyhow::Result<()> {
    for damage in &report.damage {
        let (object, message) = (damage.object.clone(), damage.what.clone());
        output.json(&json::Damage { message_type: "damage", object, message, more: damage.more })?;
    }
    for hurt in &report.hurt {
        output.json(&json::HurtSnapshot {
            message_type: "hurt",
            snapshot_id: hurt.snapshot.to_string(),
            path_count: hurt.path_count,
            paths: hurt.paths.iter().map(|path| json::path(path)).collect(),
        })?;
    }
    tell_notes(output, report);
    output.json(&json::VerifySummary {
        message_type: "summary",
        sound: report.is_sound(),
        num_errors: report.damage.len(),
        snapshots_hurt: report.hurt.len(),
        set_aside: report.set_aside.len(),
        objects: report.objects,
        packs: report.packs,
        packs_read: report.packs_read,
        unreferenced_packs: report.unreferenced_packs,
        unreferenced_bytes: report.unreferenced_bytes,
        snapshots: report.snapshots,
        trees: report.trees,
        chunks: report.chunks,
        bytes_read: report.bytes_read,
        total_duration: report.elapsed.as_secs_f64(),
    })
}
