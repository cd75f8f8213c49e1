//! `lbak tag`: other tags or another description for snapshots that were taken.

use std::ffi::OsStr;

use lbak::{AmendOptions, AmendReport, Changes, Committed, Pick};

use crate::{
    arguments::TagArguments, environment, exit::Exit, invocation::Invocation, json, opening, output::Output, selecting,
};

pub(crate) fn run(arguments: &TagArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    arguments.snapshots.iter().try_for_each(|text| Pick::parse(text).map(drop))?;
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let catalog = repository.catalog()?;
    let exit = selecting::tell_damage(output, &catalog).or_worse(Exit::damage_if(!repository.damage().is_empty()));
    // All of them are found before the first is changed.
    let mut chosen: Vec<&Committed> = Vec::new();
    for name in &arguments.snapshots {
        let name = (OsStr::new(name), None);
        let snapshot = selecting::choose_one(&catalog, repository.now(), name, &arguments.selection)?;
        if !chosen.iter().any(|other| other.session == snapshot.session) {
            chosen.push(snapshot);
        }
    }
    let options = AmendOptions {
        changes: changes(arguments),
        user: environment::user(),
        dry_run: arguments.dry_run,
        cancellation: invocation.cancellation(),
        ..AmendOptions::default()
    };
    for snapshot in chosen {
        let report = lbak::amend(repository, snapshot, &options)?;
        match output.is_json() {
            true => output.json(&json::tag::Tagged::of(&report, arguments.dry_run))?,
            false => tell(output, &report, arguments.dry_run)?,
        }
    }
    Ok(exit)
}

fn changes(arguments: &TagArguments) -> Changes {
    let set: Vec<String> = arguments.set.iter().filter(|tag| !tag.is_empty()).cloned().collect();
    Changes {
        set_tags: (!arguments.set.is_empty()).then_some(set),
        remove_tags: arguments.remove.clone(),
        add_tags: arguments.add.clone(),
        description: arguments.description.clone(),
    }
}

fn tell(output: &Output, report: &AmendReport, is_dry_run: bool) -> anyhow::Result<()> {
    let manifest = &report.snapshot.manifest;
    let what = match (report.is_changed, is_dry_run) {
        (true, false) => "changed",
        (true, true) => "would be changed",
        (false, _) => "is so already",
    };
    output.report(&format!(
        "snapshot {} {what}: {}",
        manifest.id.short(),
        described(&manifest.tags, &manifest.description)
    ))
}

/// `tags a, b; description "what was shipped"`.
fn described(tags: &[String], description: &str) -> String {
    let tags = if tags.is_empty() { "no tags".to_owned() } else { format!("tags {}", tags.join(", ")) };
    if description.is_empty() { tags } else { format!("{tags}; description \"{description}\"") }
}
