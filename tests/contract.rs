//! Each route: who may, each refusal in its order, success.

mod accounts;
mod login;
mod users;
