//! `kamscale`: the command line. Everything it does is in [`kamscale_agent::cli`].

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use kamscale_agent::cli::{self, Cli};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json();
    match cli::run(cli).await {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("kamscale: {}", failure.message);
            if json {
                print(&format!("{:#}", failure.json()));
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Whoever reads may have seen enough (`| head`): that is no error.
fn print(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}
