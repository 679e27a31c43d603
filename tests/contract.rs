//! Each route: who may, each refusal in its order, success.

mod accounts;
mod lifetime;
mod login;
mod roles;
mod sessions;
mod tokens;
