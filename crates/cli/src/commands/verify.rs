//! `lbak verify`: checks a repository; silent when it is sound and nobody watches.

use std::collections::BTreeMap;

use anyhow::Context;
use lbak::{
    Coverage, Depth, Folder, ObjectName, Repository, Steady, Timestamp, VerifyOptions, VerifyReport,
    repository::StoredObject,
};

use super::next_steps;
use crate::{
    arguments::VerifyArguments,
    environment,
    exit::Exit,
    findings,
    invocation::Invocation,
    json,
    opening::{self, Place},
    output::Output,
    progress::{Progress, Work},
    sizes, times,
};

pub(crate) fn run(arguments: &VerifyArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let (report, authors) = check(arguments, invocation)?;
    let output = invocation.output;
    if output.is_json() {
        tell_programs(output, &report)?;
    } else {
        tell(output, &report, &authors)?;
    }
    findings::tell_reported_misread(output, &report.misread);
    Ok(Exit::damage_if(!report.is_sound()))
}

fn check(arguments: &VerifyArguments, invocation: &Invocation<'_>) -> anyhow::Result<(VerifyReport, Authors)> {
    let options = |progress: &Progress| VerifyOptions {
        steady: steady(arguments),
        depth: arguments
            .read_data
            .or(arguments.read_data_subset)
            .map_or(Depth::Structure, |share| Depth::ReadData { share }),
        observer: progress.observer(),
        cancellation: invocation.cancellation(),
    };
    if arguments.no_key {
        let backend = opening::open_backend(invocation, &Place::meant(invocation)?)?;
        invocation.signals.listen(invocation.output).context("cannot listen for signals")?;
        let progress = invocation.progress(Work::Verify);
        return Ok((lbak::verify_without_key(&*backend, &options(&progress))?, Authors::new()));
    }
    let opened = opening::open(invocation, arguments.threads)?;
    let progress = invocation.progress(Work::Verify);
    let report = lbak::verify(&opened.repository, &options(&progress))?;
    let authors = authors(&opened.repository, &report);
    Ok((report, authors))
}

/// By whom snapshots were taken that can not be read themselves, and when: a sentence for each object.
type Authors = BTreeMap<String, String>;

/// Asks the announcements of damaged snapshots.
fn authors(repository: &Repository, report: &VerifyReport) -> Authors {
    let author = |object: &String| -> Option<String> {
        let session = object.strip_prefix("snapshots/")?;
        let (name, size) = repository.objects_like(Folder::Sessions, session).ok()?.pop()?;
        let StoredObject::Session(record) = repository.open_stored(&name, size).ok()? else { return None };
        let author = lbak::escape(record.author.as_bytes());
        Some(format!("it was begun by {author}, {}", times::local(record.started_at)))
    };
    let objects = report.damage.iter().map(|damage| &damage.object);
    objects.filter_map(|object| Some((object.clone(), author(object)?))).collect()
}

/// Reading in turns, when a limit is given.
fn steady(arguments: &VerifyArguments) -> Option<Steady> {
    let &VerifyArguments { max_age, max_time, max_bytes, .. } = arguments;
    let by = format!("{}@{}", environment::user(), environment::host());
    let is_limited = max_age.is_some() || max_time.is_some() || max_bytes.is_some();
    is_limited.then_some(Steady { max_age, max_time, max_bytes, by })
}

/// How much was read when: who asks for a part must hear how much the parts are together.
fn covered(coverage: &Coverage) -> String {
    let share = match coverage.bytes {
        0 => 100.0,
        bytes => 100.0 * coverage.bytes_covered as f64 / bytes as f64,
    };
    let (packs, of) = (sizes::count(coverage.packs_covered), sizes::counted(coverage.packs, "pack", "packs"));
    let (bytes, of_bytes) = (sizes::bytes(coverage.bytes_covered), sizes::bytes(coverage.bytes));
    let when = match coverage.max_age {
        Some(age) => format!("within {}", times::duration(age.as_secs())),
        None => "so far".into(),
    };
    // Never rounded up: 100 % means all of it.
    let mut text =
        format!("read {when}: {packs} of {of}, {bytes} of {of_bytes} ({:.1} %)", (share * 10.0).floor() / 10.0);
    if coverage.packs_never > 0 {
        text.push_str(&format!(", {} never", sizes::count(coverage.packs_never)));
    } else if let Some(seconds) = coverage.oldest {
        text.push_str(&format!(", longest ago {}", times::local(Timestamp { seconds, nanoseconds: 0 })));
    }
    text
}

fn tell(output: &Output, report: &VerifyReport, authors: &Authors) -> anyhow::Result<()> {
    for damage in &report.damage {
        let more = match damage.more {
            0 => String::new(),
            more => format!(" (and {} more)", sizes::count(more)),
        };
        output.line(&format!("damaged: {}: {}{more}", damage.object, damage.what))?;
        if next_steps::is_healable(report, &damage.object) {
            output.line("  can be healed: `lbak repair packs`")?;
        }
        if let Some(author) = authors.get(&damage.object) {
            output.line(&format!("  {author}"))?;
        }
    }
    for hurt in &report.hurt {
        let paths = sizes::counted(hurt.path_count, "path", "paths");
        output.line(&format!("hurt: snapshot {}, {paths}:", hurt.snapshot.short()))?;
        let told = if output.is_verbose() { hurt.paths.len() } else { hurt.paths.len().min(findings::TOLD) };
        for path in hurt.paths.iter().take(told) {
            output.line(&format!("  {}", lbak::escape(path)))?;
        }
        let untold = hurt.path_count.saturating_sub(told as u64);
        if untold > 0 {
            let how = if told < hurt.paths.len() { " (-v tells more)" } else { "" };
            output.line(&format!("  … and {} more{how}", sizes::count(untold)))?;
        }
    }
    if let Some(coverage) = &report.coverage {
        output.report(&covered(coverage))?;
    }
    if !report.is_sound() {
        next_steps::of(report).iter().for_each(|step| output.note(&format!("next: {step}")));
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
        return report.notes.iter().for_each(|note| output.note(note));
    }
    for damage in &report.set_aside {
        output.note(&format!("set aside: {}: {}", damage.object, damage.what));
    }
}

fn summary(report: &VerifyReport) -> String {
    let seconds = report.elapsed.as_secs_f64();
    let mut text = match report.damage.len() as u64 {
        0 => "sound".to_owned(),
        damaged => {
            let more: u64 = report.damage.iter().map(|damage| damage.more).sum();
            let places = if more > 0 { format!(", in {} places", sizes::count(damaged + more)) } else { String::new() };
            format!("damage in {}{places}", sizes::counted(damaged, "object", "objects"))
        }
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
    let damage = report.damage.iter().map(|damage| ("damage", damage));
    let set_aside = report.set_aside.iter().map(|damage| ("set_aside", damage));
    for (message_type, damage) in damage.chain(set_aside) {
        let (object, message) = (damage.object.clone(), damage.what.clone());
        output.json(&json::Damage { message_type, object, message, more: damage.more })?;
    }
    for hurt in &report.hurt {
        output.json(&json::HurtSnapshot {
            message_type: "hurt",
            snapshot_id: hurt.snapshot.to_string(),
            path_count: hurt.path_count,
            paths: hurt.paths.iter().map(|path| json::path(path)).collect(),
        })?;
    }
    for pack in &report.healable {
        output.json(&json::parity::Healable::of(ObjectName::Pack(*pack).to_string()))?;
    }
    tell_notes(output, report);
    output.json(&json::VerifySummary {
        message_type: "summary",
        sound: report.is_sound(),
        num_errors: report.damage.len(),
        snapshots_hurt: report.hurt.len(),
        set_aside: report.set_aside.len(),
        packs_healable: report.healable.len(),
        objects: report.objects,
        packs: report.packs,
        packs_read: report.packs_read,
        parity_objects: report.parity_objects,
        unreferenced_packs: report.unreferenced_packs,
        unreferenced_bytes: report.unreferenced_bytes,
        snapshots: report.snapshots,
        trees: report.trees,
        chunks: report.chunks,
        bytes_read: report.bytes_read,
        coverage: report.coverage.as_ref().map(json::repair::Coverage::of),
        total_duration: report.elapsed.as_secs_f64(),
    })
}
