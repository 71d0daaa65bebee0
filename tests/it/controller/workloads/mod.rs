//! Tests of the workloads of controllers, one file each.

mod garbage;
mod gateway;
mod replicas;
