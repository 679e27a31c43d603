//! Each route: who may, each refusal in its order, success.

mod accounts;
mod audits;
mod busy;
mod config;
mod config_file;
mod config_migrate;
mod config_round_trip;
mod email;
mod files;
mod files_elsewhere;
mod license;
mod lifetime;
mod login;
mod notification_receipts;
mod notifications;
mod onboarding;
mod preferences;
mod roles;
mod sessions;
mod site_url;
mod status;
mod team_members;
mod teams;
mod tokens;
mod trials;
mod users;
