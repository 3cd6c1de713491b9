//! The `sqe-server` binary: from flags to a running server and an exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sqe_server::args::{Args, Role};
use sqe_server::config::Config;
use sqe_server::{logging, run};

/// Query state allocates in many small pieces on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stack of each thread, in bytes: plans of long statements are walked recursively. Only what is
/// used takes memory.
const STACK_BYTES: usize = 64 << 20;

/// How long threads may take to end after the server has.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Exit code of a server that could not start.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    let config = match args.configure(std::env::vars()) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(CANNOT_START);
        }
    };
    if args.check_config {
        println!("configuration is valid");
        return ExitCode::SUCCESS;
    }
    logging::init(&config.server);
    match serve(config, args.role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sqe-server: {error}");
            ExitCode::from(CANNOT_START)
        }
    }
}

fn serve(config: Config, role: Role) -> Result<(), run::StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(run::StartError::Runtime)?;
    let served = runtime.block_on(run::run(config, role));
    // What still computes was told to stop and may never look up.
    runtime.shutdown_timeout(STOP_TIMEOUT);
    served
}
