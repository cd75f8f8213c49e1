//! `lbak init`: makes a repository with a slot for each key that was given.

use anyhow::Context;

use crate::{
    arguments::InitArguments,
    exit::{Exit, Trouble},
    invocation::Invocation,
    json, making,
    opening::Place,
    output::Output,
    secrets::{self, NewKeyFile, Offered},
};

pub(crate) fn run(arguments: &InitArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let Place::Named(folder) = Place::meant(invocation)? else {
        let trouble = Trouble::usage("where should the repository be?");
        return Err(trouble.hint("give -r PLACE or set LBAK_REPOSITORY").into());
    };
    making::refuse_used(&folder)?;
    let by_options = Offered::by_options(invocation.global);
    let is_by_variable = (by_options.key_file.is_none(), by_options.password.is_none());
    let offered = by_options.and(Offered::by_variables(&invocation.environment));
    let label = arguments.label.as_deref();
    let mut slots = Vec::new();
    if let Some(password) = &offered.password {
        slots.push(making::slot(password.read()?, label));
    }
    if offered.is_empty() {
        slots.push(making::slot(secrets::ask_for_new()?, label));
    }
    let slot_count = slots.len() + usize::from(offered.key_file.is_some());
    let key = offered.key_file.as_deref().map(NewKeyFile::read_or_make).transpose()?;
    let is_new_key = key.as_ref().is_some_and(NewKeyFile::is_new);
    invocation.signals.listen(invocation.output).context("cannot listen for signals")?;
    let opened = match key {
        Some(key) => making::make_with_key(&folder, key, slots, label)?,
        None => making::make(&folder, &slots, None)?,
    };

    let output = invocation.output;
    let (id, place) = (opened.repository.id(), folder.display().to_string());
    if output.is_json() {
        let id = id.to_string();
        output.json(&json::Initialized { message_type: "initialized", id, repository: &place, slots: slot_count })?;
        return Ok(Exit::Done);
    }
    output.report(&format!("made repository {} at {place}", id.short()))?;
    tell_keys(output, &offered, is_new_key, is_by_variable)?;
    Ok(Exit::Done)
}

/// Names each key that opens the repository from now on, and where it came from, and that one of them is kept.
fn tell_keys(
    output: &Output,
    offered: &Offered,
    is_new_key: bool,
    (is_file_by_variable, is_password_by_variable): (bool, bool),
) -> anyhow::Result<()> {
    if let Some(file) = &offered.key_file {
        let by = if is_file_by_variable { " (LBAK_KEY_FILE)" } else { "" };
        let what = if is_new_key { "the new key" } else { "the key file that was there," };
        output.report(&format!("  opened by {what} {}{by}", file.display()))?;
    }
    if offered.password.is_some() || offered.key_file.is_none() {
        let password = offered.password.as_ref().map(|password| password.described(is_password_by_variable));
        let password = password.unwrap_or_else(|| "that was typed".to_owned());
        let also = if offered.key_file.is_some() { "and also" } else { "opened" };
        output.report(&format!("  {also} by the password {password}"))?;
    }
    let (keep, it) = match (&offered.key_file, &offered.password) {
        (Some(_), Some(_)) => ("a copy of the key or the password", "one of them"),
        (Some(_), None) => ("a copy of the key", "it"),
        (None, _) => ("the password", "it"),
    };
    output.report(&format!("keep {keep} elsewhere: without {it} nothing can be restored"))
}
