//! `lbak key`: lists, adds, changes and removes what opens the repository.

use std::path::PathBuf;

use anyhow::Context;
use lbak::{Credential, NewSlot, OpenedSlot, PasswordCost, SlotForm, SlotId, SlotInfo, SlotState, Timestamp};

use crate::{
    arguments::{KeyAddArguments, KeyArguments, KeyChangeArguments, KeyCommand, KeyRemoveArguments, NewKeyArguments},
    exit::{Exit, Trouble},
    invocation::Invocation,
    json, making,
    opening::{self, Opened},
    questions,
    secrets::{self, NewKeyFile, Offered},
    sizes,
    tables::{Align, Table},
    times,
};

pub(crate) fn run(arguments: &KeyArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    match &arguments.command {
        KeyCommand::List => list(invocation),
        KeyCommand::Add(arguments) => add(arguments, invocation),
        KeyCommand::Change(arguments) => change(arguments, invocation),
        KeyCommand::Remove(arguments) => remove(arguments, invocation),
    }
}

fn list(invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let (slots, own) = (opened.repository.slots()?, opened.repository.opened_by());
    let output = invocation.output;
    if output.is_json() {
        slots.iter().try_for_each(|slot| output.json(&described(slot, own)))?;
    } else {
        let columns = ["ID", "Opened by", "Cost of a try", "Made", "Label"].map(|heading| (heading, Align::Left));
        let mut table = Table::new(columns);
        for slot in &slots {
            let (form, cost) = match &slot.state {
                SlotState::Sound { form: SlotForm::Password, cost } => ("password", cost_of(cost)),
                SlotState::Sound { form: SlotForm::KeyFile, .. } => ("key file", String::new()),
                SlotState::Damaged(_) => ("nothing: damaged", String::new()),
            };
            let (star, made, label) = match slot.id == own.id {
                true => (" *", times::local(made(own)), own.label.clone()),
                false => ("", String::new(), String::new()),
            };
            table.row([slot.id.short() + star, form.to_owned(), cost, made, label]);
        }
        table.lines().try_for_each(|line| output.line(&line))?;
        output.report(
            "* opened the repository just now; when others were made, and their labels, tells only what opens them",
        )?;
    }
    let is_damaged = slots.iter().any(|slot| matches!(slot.state, SlotState::Damaged(_)));
    Ok(Exit::damage_if(is_damaged).or_worse(damage_of(&opened)))
}

fn made(slot: &OpenedSlot) -> Timestamp {
    Timestamp { seconds: slot.created_seconds, nanoseconds: 0 }
}

fn cost_of(cost: &PasswordCost) -> String {
    format!("{} MiB, {} passes, {} lanes", cost.memory_kib / 1024, cost.passes, cost.lanes)
}

fn add(arguments: &KeyAddArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let (opener, new) = opener_and_new(&arguments.new, invocation);
    // Before a file is made, and before anyone types a new password twice, the repository opens.
    let opened = opening::open_with(invocation, &opener, None)?;
    let label = arguments.new.label.as_deref();
    let slot = with_new_key(&new, label, |slot| Ok(opened.repository.add_slot(slot)?))?;
    let output = invocation.output;
    if output.is_json() {
        output.json(&named("key_added", slot))?;
    } else {
        output.report(&format!("added key slot {}", slot.short()))?;
    }
    Ok(damage_of(&opened))
}

fn change(arguments: &KeyChangeArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let own = repository.opened_by();
    refuse_same_key(arguments, invocation)?;
    let label = arguments.new.label.as_deref().unwrap_or(&own.label);
    let slot = with_new_key(&offered_as_new(&arguments.new), Some(label), |slot| Ok(repository.add_slot(slot)?))?;
    repository.remove_slot(own.id).with_context(|| {
        let (new, old) = (slot.short(), own.id.short());
        format!("key slot {new} was added and opens the repository, but {old} could not be removed")
    })?;
    if output.is_json() {
        output.json(&json::Key { replaced: Some(own.id.to_string()), ..named("key_changed", slot) })?;
    } else {
        output.report(&format!("key slot {} is in the place of {}", slot.short(), own.id.short()))?;
        output.report("  this is no revocation: who copied the old slot before can open that copy with the old key")?;
    }
    Ok(damage_of(&opened))
}

/// A key file in its own place would change nothing, and seem to have done so.
fn refuse_same_key(arguments: &KeyChangeArguments, invocation: &Invocation<'_>) -> anyhow::Result<()> {
    let Some(new) = arguments.new.new_key_file.as_deref().filter(|new| new.exists()) else { return Ok(()) };
    let Some(old) = opening::offered(invocation).key_file else { return Ok(()) };
    if *secrets::read_key_file(new)?.to_text() == *secrets::read_key_file(&old)?.to_text() {
        let what = format!("{} holds the key that is to be changed: nothing was changed", new.display());
        return Err(Trouble::usage(what).hint("name a file that is not there yet: it is made with a new key").into());
    }
    Ok(())
}

/// Reads, makes or asks for a new key and does something with a slot for it; a key file that came to open nothing is taken back.
fn with_new_key(
    new: &Offered,
    label: Option<&str>,
    add: impl FnOnce(&NewSlot) -> anyhow::Result<SlotId>,
) -> anyhow::Result<SlotId> {
    let made = new.key_file.as_deref().map(NewKeyFile::read_or_make).transpose()?;
    let credential = match (&made, &new.password) {
        (Some(made), _) => Credential::KeyFile(made.key.clone()),
        (None, Some(password)) => password.read()?,
        (None, None) => secrets::ask_for_new()?,
    };
    add(&making::slot(credential, label)).inspect_err(|_| made.into_iter().for_each(NewKeyFile::take_back))
}

fn offered_as_new(new: &NewKeyArguments) -> Offered {
    Offered::new(new.new_key_file.clone(), new.new_password_file.clone(), new.new_password_command.clone())
}

/// What opens the repository, and what is added. A key file of `--key-file` that is not there can only be a new one.
fn opener_and_new(arguments: &NewKeyArguments, invocation: &Invocation<'_>) -> (Offered, Offered) {
    let new = offered_as_new(arguments);
    let mut options = Offered::by_options(invocation.global);
    let mut variables = Offered::by_variables(&invocation.environment);
    if !new.is_empty() {
        return (options.or(variables), new);
    }
    let is_missing = |file: &mut PathBuf| file.symlink_metadata().is_err();
    let by_option = options.key_file.take_if(is_missing);
    let key_file = by_option.or_else(|| variables.key_file.take_if(is_missing));
    (options.or(variables), Offered { key_file, password: None })
}

fn remove(arguments: &KeyRemoveArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let slots = opened.repository.slots()?;
    let slot = by_prefix(&slots, &arguments.slot)?;
    let left = what_opens(slots.iter().filter(|other| other.id != slot));
    // The last one is refused by the library, in its own words.
    if let Some(left) = left.as_ref().filter(|_| slot == opened.repository.opened_by().id && !arguments.yes) {
        confirm_own(slot, left)?;
    }
    if slot != opened.repository.opened_by().id && !arguments.yes {
        confirm_other(&slots, slot)?;
    }
    opened.repository.remove_slot(slot)?;
    let output = invocation.output;
    if output.is_json() {
        output.json(&named("key_removed", slot))?;
    } else {
        output.report(&format!("removed key slot {}", slot.short()))?;
        left.map_or(Ok(()), |left| output.report(&format!("  the repository is opened by {left}")))?;
    }
    Ok(damage_of(&opened))
}

/// `1 password and 2 key files`; nothing when nothing would.
fn what_opens<'a>(slots: impl Iterator<Item = &'a SlotInfo>) -> Option<String> {
    let (mut passwords, mut key_files) = (0, 0);
    for slot in slots {
        match &slot.state {
            SlotState::Sound { form: SlotForm::Password, .. } => passwords += 1,
            SlotState::Sound { form: SlotForm::KeyFile, .. } => key_files += 1,
            SlotState::Damaged(_) => {}
        }
    }
    let counts = [(passwords, "password", "passwords"), (key_files, "key file", "key files")];
    let words = counts.into_iter().filter(|(count, ..)| *count > 0);
    let words: Vec<String> = words.map(|(count, one, many)| sizes::counted(count, one, many)).collect();
    (!words.is_empty()).then(|| words.join(" and "))
}

/// Who removes the key that is in his hand may find out that he has no other.
fn confirm_own(slot: SlotId, left: &str) -> anyhow::Result<()> {
    let what = format!("key slot {} is the one that the repository was opened with", slot.short());
    let question = format!("{what}; left: {left}. Remove it? [y/N] ");
    let hint = "open it with the key that is to stay, or `lbak key change`; --yes if this is what you mean";
    match questions::ask(&question)? {
        Some(true) => Ok(()),
        Some(false) => Err(Trouble::new(Exit::Failed, "nothing was removed").into()),
        None => Err(Trouble::usage(what).hint(hint).into()),
    }
}

/// What a slot is for, nobody can tell but who opens it; a script that names it knows.
fn confirm_other(slots: &[SlotInfo], slot: SlotId) -> anyhow::Result<()> {
    let what = match slots.iter().find(|other| other.id == slot).map(|found| &found.state) {
        Some(SlotState::Sound { form: SlotForm::Password, .. }) => "a password",
        Some(SlotState::Sound { form: SlotForm::KeyFile, .. }) => "a key file",
        _ => "nothing: it is damaged",
    };
    let question = format!(
        "key slot {} is opened by {what}, not by what opened the repository now. Remove it? [y/N] ",
        slot.short()
    );
    match questions::ask(&question)? {
        Some(false) => Err(Trouble::new(Exit::Failed, "nothing was removed").into()),
        Some(true) | None => Ok(()),
    }
}

fn by_prefix(slots: &[SlotInfo], prefix: &str) -> anyhow::Result<SlotId> {
    const SHORTEST: usize = lbak::Pick::SHORTEST_PREFIX;
    if prefix.len() < SHORTEST {
        return Err(Trouble::usage(format!("give at least {SHORTEST} digits of the key slot's id")).into());
    }
    let mut matches = slots.iter().map(|slot| slot.id).filter(|id| id.to_string().starts_with(prefix));
    match (matches.next(), matches.next()) {
        (Some(slot), None) => Ok(slot),
        (Some(_), Some(_)) => Err(Trouble::usage(format!("several key slots begin with {prefix}")).into()),
        (None, _) => {
            let trouble = Trouble::usage(format!("there is no key slot {prefix}"));
            Err(trouble.hint("`lbak key list` lists them").into())
        }
    }
}

fn damage_of(opened: &Opened) -> Exit {
    Exit::damage_if(!opened.repository.damage().is_empty())
}

fn named(message_type: &'static str, slot: SlotId) -> json::Key {
    let id = slot.to_string();
    json::Key { message_type, id, ..json::Key::default() }
}

fn described(slot: &SlotInfo, own: &OpenedSlot) -> json::Key {
    let is_own = slot.id == own.id;
    let label = is_own.then(|| own.label.clone());
    let created = is_own.then(|| times::rfc3339(made(own)));
    let key = json::Key { opened_by: Some(is_own), label, created, ..named("key", slot.id) };
    match &slot.state {
        SlotState::Sound { form: SlotForm::KeyFile, .. } => json::Key { form: Some("key_file"), ..key },
        SlotState::Sound { form: SlotForm::Password, cost } => json::Key {
            form: Some("password"),
            memory_kib: Some(cost.memory_kib),
            passes: Some(cost.passes),
            lanes: Some(cost.lanes),
            ..key
        },
        SlotState::Damaged(error) => json::Key { damage: Some(error.to_string()), ..key },
    }
}
