//! The binary `lbak`, run as people and scripts run it: each test with a home of its own and an environment that holds nothing else.

mod home;

mod awkward;
mod backups;
mod cache;
mod cat;
mod completions;
mod default_repository;
mod diff;
mod dump;
mod exit_codes;
mod find;
mod habits;
mod help;
mod in_place;
mod json;
mod key_change;
mod keys;
mod kills;
mod listing;
mod pipes;
mod places;
mod reading;
mod repair;
mod restore;
mod restoring;
mod selection;
mod sharing;
mod signals;
mod streams;
mod tables;
mod tag;
mod telling;
mod to_command;
mod usage;
mod words;
