//! Each route: who may, each refusal in its order, success.

mod accounts;
mod config;
mod lifetime;
mod login;
mod roles;
mod sessions;
mod tokens;
