//! The request pipeline, byte by byte where it matters.

mod health;
mod limits;
mod pipeline;
mod rate;
mod tls;
