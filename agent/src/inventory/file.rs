//! The inventory's file: read by anybody, replaced as a whole, and only by another one.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Inventory, Written};

/// Whoever needs it may read it: Puppet, name servers, databases. There is no secret in it.
const MODE: u32 = 0o644;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("inventory {file}: {source}; check the rights of its directory and the space there")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no inventory.
    #[error("inventory {file} is none: {problem}; move it away, and it is written anew")]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// What the file says; `None` if there is none yet.
///
/// # Errors
/// [`FileError`].
pub fn read(file: &Path) -> Result<Option<Inventory>, FileError> {
    let Some(text) = text(file)? else {
        return Ok(None);
    };
    let written: Result<Written, _> = serde_json::from_slice(&text);
    let written = written.map_err(|error| FileError::Foreign {
        file: file.into(),
        problem: error.to_string(),
    })?;
    Ok(Some(written.into()))
}

/// Writes the inventory if the file says anything else; whether it did. Whoever reads sees the old file
/// or the new one, and never a part.
///
/// # Errors
/// [`FileError::Io`]; the file is as it was.
pub(super) fn replace(file: &Path, inventory: &Inventory) -> Result<bool, FileError> {
    let io = |source: std::io::Error| FileError::Io {
        file: file.into(),
        source,
    };
    let mut new = serde_json::to_vec_pretty(&Written::from(inventory))
        .map_err(|error| io(std::io::Error::other(error)))?;
    new.push(b'\n');
    if text(file)?.as_deref() == Some(new.as_slice()) {
        return Ok(false);
    }
    write(file, &new).map_err(io)?;
    Ok(true)
}

fn text(file: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Io {
            file: file.into(),
            source,
        }),
    }
}

fn write(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let temporary = file.with_extension("json.new");
    let mut output = File::create(&temporary)?;
    // Not by the way: the agent's umask keeps others out.
    output.set_permissions(Permissions::from_mode(MODE))?;
    output.write_all(text)?;
    output.sync_all()?;
    fs::rename(&temporary, file)?;
    File::open(directory)?.sync_all()
}
