//! A server process that a test started.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// The built server, without the environment of the test.
pub(crate) fn server() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqe-server"));
    command.env_clear();
    command
}

/// A started server and the rest of its stderr, which must stay open while it runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: Option<BufReader<ChildStderr>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().map(BufReader::new);
        Self { child, stderr }
    }

    /// Starts a server over `dir` with the configuration `toml`; returns it and its address.
    pub(crate) fn with_config(dir: &Path, toml: &str) -> (Self, String) {
        let file = dir.join("sqe.toml");
        std::fs::write(&file, toml).unwrap();
        let mut running = Self::start(
            server()
                .args(["--port", "0", "--http-port", "0", "--data-dir"])
                .arg(dir.join("data"))
                .arg("--config")
                .arg(&file),
        );
        let address = running.wait_for("listening on");
        running.ignore_rest();
        (running, address)
    }

    /// Waits for the line `PREFIX ADDRESS` and returns the address.
    pub(crate) fn wait_for(&mut self, prefix: &str) -> String {
        let stderr = self.stderr.as_mut().unwrap();
        let mut line = String::new();
        while stderr.read_line(&mut line).unwrap() > 0 {
            if let Some(address) = line.strip_prefix(prefix) {
                return address.trim().to_owned();
            }
            line.clear();
        }
        panic!("the server ended without {prefix:?}");
    }

    /// Reads the rest of stderr on a thread, so that the server never waits for it.
    pub(crate) fn ignore_rest(&mut self) {
        let mut stderr = self.stderr.take().unwrap();
        std::thread::spawn(move || {
            let mut rest = String::new();
            // Ends with the server.
            let _ = stderr.read_to_string(&mut rest);
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails where the server has ended already, which is what most tests want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
