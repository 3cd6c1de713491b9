//! Command-line flags; they win over the environment, which wins over the file.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::config::{Config, Problems};

/// Distributed SQL over Apache Iceberg, served by Arrow Flight SQL.
#[derive(Debug, Parser)]
#[command(name = "sqe-server", version)]
pub struct Args {
    /// Configuration file (TOML); without one the server runs standalone on loopback
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What this process does
    #[arg(long, value_enum, default_value_t = Role::Standalone)]
    pub role: Role,
    /// Port for Flight SQL, or for tasks where the role is worker; 0 picks a free one
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Port for health and metrics over HTTP; 0 picks a free one
    #[arg(long, value_name = "N")]
    http_port: Option<u16>,
    /// Directory of the embedded catalog and its tables
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Reports every problem of the configuration and exits
    #[arg(long)]
    pub check_config: bool,
}

/// The parts a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Plans and executes in one process
    Standalone,
    /// Plans, and sends tasks to the workers that join it
    Coordinator,
    /// Executes tasks of the coordinators that it joins
    Worker,
}

impl Args {
    /// The configuration of file, environment and flags together.
    pub fn configure(
        &self,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, Problems> {
        let mut config = Config::load(self.config.as_deref(), env)?;
        if let Some(port) = self.port {
            match self.role {
                Role::Worker => config.worker.flight_port = port,
                Role::Standalone | Role::Coordinator => config.coordinator.flight_sql_port = port,
            }
        }
        if let Some(port) = self.http_port {
            config.http.port = port;
        }
        if let Some(dir) = &self.data_dir {
            config.server.data_dir.clone_from(dir);
        }
        config.check_role(self.role)?;
        Ok(config)
    }
}
