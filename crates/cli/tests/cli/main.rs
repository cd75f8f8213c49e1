//! The binary `lbak`, run as people and scripts run it: each test with a home of its own and an environment that holds nothing else.

mod home;

mod default_repository;
mod exit_codes;
mod help;
mod json;
mod keys;
mod pipes;
mod reading;
mod restore;
mod signals;
mod tables;
