//! A coordinator and its workers, each a process of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::running::{Running, server};

/// How long workers may take to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// The key of nodes that know nobody else.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

pub(crate) struct Node {
    #[expect(dead_code, reason = "the process ends with it")]
    running: Running,
    pub(crate) address: String,
    http: String,
}

impl Node {
    fn start(dir: &Path, role: &str, toml: &str) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let file = dir.join("sqe.toml");
        std::fs::write(&file, toml).unwrap();
        let mut running = Running::start(
            server()
                .args(["--port", "0", "--http-port", "0", "--role", role, "--data-dir"])
                .arg(dir.join("data"))
                .arg("--config")
                .arg(&file),
        );
        let http = running.wait_for("http on");
        let address = running.wait_for("listening on");
        running.ignore_rest();
        Self { running, address, http }
    }

    /// The value of a metric; 0 for one that was not counted yet.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: sqe\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let line = answer.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }
}

/// A coordinator to which all of its workers have come.
pub(crate) struct Cluster {
    pub(crate) coordinator: Node,
    pub(crate) workers: Vec<Node>,
}

impl Cluster {
    /// Starts nodes that keep their files below `dir`. Every scan is cut into as many tasks as there
    /// are workers.
    pub(crate) fn start(dir: &Path, workers: usize) -> Self {
        let distributed = format!(
            "[distributed]\nfragment_keys = [\"{KEY}\"]\nrequire_workers = true\nbytes_per_task = 1\n"
        );
        let coordinator = Node::start(dir, "coordinator", &distributed);
        let joins = format!("[worker]\ncoordinator_urls = [\"http://{}\"]\n", coordinator.address);
        let workers = (0..workers).map(|number| {
            let dir = dir.join(format!("worker-{number}"));
            Node::start(&dir, "worker", &format!("{distributed}{joins}"))
        });
        let cluster = Self { workers: workers.collect(), coordinator };
        cluster.wait_for_workers(cluster.workers.len());
        cluster
    }

    /// Waits until so many workers get tasks.
    pub(crate) fn wait_for_workers(&self, workers: usize) {
        let began = Instant::now();
        while self.coordinator.metric("sqe_workers") < workers as f64 {
            assert!(began.elapsed() < JOIN_TIMEOUT, "the workers did not join");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
