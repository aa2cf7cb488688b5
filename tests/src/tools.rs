//! Where the programs are: the system's (kamailio, sipp) and ours, built beside this one.
//! It must not build or install anything; what is missing is named with the remedy.

use std::env;
use std::path::{Path, PathBuf};

/// A program of the system.
///
/// # Panics
/// If it is not installed.
#[must_use]
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    installed(name).unwrap_or_else(|| panic!("{name} is not installed; `make setup` installs it"))
}

/// A program of the system, if it is installed.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let known = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    known.map(|dir| dir.join(name)).find(|p| p.is_file())
}

/// A program or library of this project, in the folder of the running program.
///
/// # Panics
/// If it was not built yet.
#[must_use]
#[track_caller]
pub fn built(name: &str) -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    let dirs = own.ancestors().skip(1).take(2);
    let found = dirs.map(|dir| dir.join(name)).find(|p| p.is_file());
    found.unwrap_or_else(|| {
        let dir = own.parent().unwrap_or(Path::new("target"));
        panic!(
            "{name} is not beside {}; `make build` builds it",
            dir.display()
        )
    })
}

/// The root of the source tree.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
