//! The state file: JSON, replaced as a whole, so that it is either the old or the new one.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::{State, VERSION};

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It exists but cannot be read or written.
    #[error("state file {file}: {source}; check `state_file` and the rights of its directory")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no state.
    #[error("state file {file} is corrupt: {problem}")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It belongs to somebody else.
    #[error("state file {file} {problem}")]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What is wrong, and the remedy.
        problem: String,
    },
}

/// Reads the state; `None` if there is no file yet.
///
/// # Errors
/// [`StateError`].
pub fn load(file: &Path, instance: &str) -> Result<Option<State>, StateError> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StateError::Io {
                file: file.into(),
                source,
            });
        }
    };
    let corrupt = |problem: String| StateError::Corrupt {
        file: file.into(),
        problem,
    };
    let foreign = |problem: String| StateError::Foreign {
        file: file.into(),
        problem,
    };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| corrupt(error.to_string()))?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if version.is_some_and(|version| version > u64::from(VERSION)) {
        return Err(foreign(format!(
            "has version {}, this agent knows {VERSION}; install the newer agent again, \
             or move the file away",
            version.unwrap_or_default()
        )));
    }
    let state: State = serde_json::from_value(value).map_err(|error| corrupt(error.to_string()))?;
    if state.instance != instance {
        return Err(foreign(format!(
            "belongs to instance \"{}\", not \"{instance}\"; give each instance its own `state_file`",
            state.instance
        )));
    }
    Ok(Some(state))
}

/// Replaces the file: written beside it, synced, renamed.
///
/// # Errors
/// [`StateError::Io`].
pub fn save(file: &Path, state: &State) -> Result<(), StateError> {
    write(file, state).map_err(|source| StateError::Io {
        file: file.into(),
        source,
    })
}

fn write(file: &Path, state: &State) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let temporary = file.with_extension("json.new");
    // Not as one text in memory: it has megabytes where there are thousands of members.
    let mut output = BufWriter::new(File::create(&temporary)?);
    serde_json::to_writer_pretty(&mut output, state)?;
    output.into_inner()?.sync_all()?;
    fs::rename(&temporary, file)?;
    File::open(dir)?.sync_all()
}

/// Moves a file that cannot be used out of the way; answers where it is now.
///
/// # Errors
/// [`StateError::Io`].
pub fn set_aside(file: &Path, now_s: f64) -> Result<PathBuf, StateError> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".corrupt-{now_s:.0}"));
    let aside = PathBuf::from(name);
    fs::rename(file, &aside).map_err(|source| StateError::Io {
        file: file.into(),
        source,
    })?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_garbage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        assert!(load(&file, "default").unwrap().is_none());
        let state = State::new("default");
        save(&file, &state).unwrap();
        assert_eq!(load(&file, "default").unwrap(), Some(state));
        let error = load(&file, "other").unwrap_err().to_string();
        assert!(error.contains("belongs to instance \"default\""), "{error}");
        fs::write(&file, "{\"version\": 1, \"inst").unwrap();
        assert!(matches!(
            load(&file, "default"),
            Err(StateError::Corrupt { .. })
        ));
        fs::write(&file, "{\"version\": 99}").unwrap();
        assert!(matches!(
            load(&file, "default"),
            Err(StateError::Foreign { .. })
        ));
        let aside = set_aside(&file, 12.3).unwrap();
        assert!(aside.to_string_lossy().ends_with("state.json.corrupt-12"));
        assert!(load(&file, "default").unwrap().is_none());
    }
}
