//! What breaks, and what then still works.

mod actors;
