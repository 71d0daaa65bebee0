//! Guided search: what it finds that a sweep does not, and that it is as repeatable as one.

mod cover;
mod finds;
mod programs;
mod repeats;
