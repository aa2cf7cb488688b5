//! `kamscale`: the command line. Everything it does is in [`kamscale_agent::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use kamscale_agent::cli::{self, Cli};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match cli::run(Cli::parse()).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("kamscale: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
