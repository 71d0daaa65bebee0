//! Tests of the workloads of the controller: the correct ones survive, each planted bug is found under its name.

mod replicas;
