//! The binary `lbak`, run as people and scripts run it: each test with a home of its own and an environment that holds nothing else.

mod home;

mod cat;
mod default_repository;
mod dump;
mod exit_codes;
mod help;
mod json;
mod keys;
mod pipes;
mod restore;
mod selection;
mod signals;
mod streams;
mod tables;
mod to_command;
