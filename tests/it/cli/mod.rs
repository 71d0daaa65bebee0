//! The `fatum` binary, run as a user runs it: in a directory of its own, with relative paths.

mod commands;
mod errors;
mod guided;
mod replays;
mod reports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory to run in, empty at the start.
pub(crate) struct Place {
    dir: PathBuf,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// The directory of the test called `name`.
    pub(crate) fn new(name: &str) -> Place {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        Place { dir }
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Place {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Runs the binary with these arguments, apart by spaces.
    pub(crate) fn fatum(&self, arguments: &str) -> Said {
        self.fatum_with(&[], arguments)
    }

    /// As [`Place::fatum`], with these variables in the environment.
    pub(crate) fn fatum_with(&self, variables: &[(&str, &str)], arguments: &str) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_fatum"))
            .args(arguments.split_whitespace())
            .current_dir(&self.dir)
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The failure file of a scenario in which a bug is planted, as `failure.toml`; its scenario is `bug.toml`.
    pub(crate) fn with_failure(&self) -> &Place {
        self.write("bug.toml", scenario("queued-vanish", VIOLATED));
        let said = self.fatum("check bug.toml --jobs 1");
        assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
        fs::rename(self.path(&self.failure_files()[0]), self.path("failure.toml")).unwrap();
        self
    }

    /// The failure files that were written, sorted.
    pub(crate) fn failure_files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("fatum-failures")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| format!("fatum-failures/{}", entry.unwrap().file_name().to_str().unwrap()))
            .collect();
        names.sort();
        names
    }
}

pub(crate) const VIOLATED: &str = r#"{ kind = "violated", property = "conservation" }"#;

/// A small scenario: two workers, six actions, of which the first may fail and stop the run.
pub(crate) fn scenario(variant: &str, expect: &str) -> String {
    SCENARIO.replace("VARIANT", variant).replace("EXPECT", expect)
}

const SCENARIO: &str = r#"system = "graph"
description = "six actions, of which the first may fail and stop the run"
variant = "VARIANT"
expect = EXPECT
runs = 200

[workload.graph.star]
fan-out = 5

[workload.behaviour]
duration = "1s"

[workload.executor]
error-strategy = "stop-on-error"

[[faults.rule]]
kind = "error"
site = "action.run"
object = "leaf-0"
probability = 0.3

[properties]
sometimes = ["run-complete"]
"#;
