//! Each route: who may, each refusal in its order, success.

mod accounts;
mod login;
mod preferences;
mod roles;
mod status;
mod team_members;
mod teams;
