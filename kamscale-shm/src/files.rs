//! The files of an instance: their names, how they come to be (a temporary file, then a rename),
//! who may own them (a lock), and what makes one acceptable. Never truncates a file in place.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::layout::{AllAtomic, Header, MAJOR, MINOR, READY};
use crate::mapping::Mapped;
use crate::sync::{AtomicU64, Ordering};
use crate::{clock, hash, spec};

/// Owner and group write, others read nothing. Kamailio and the agent share a group.
const MODE: u32 = 0o660;

/// Why a file of an instance cannot be used.
#[derive(Debug)]
pub enum ShmError {
    /// The instance's name is not usable as a file name.
    Instance(String),
    /// The file is not there (yet).
    Missing(PathBuf),
    /// Another process owns this side of the instance.
    InUse {
        /// The lock it holds.
        path: PathBuf,
        /// The owner, as far as the lock file tells.
        pid: u32,
    },
    /// Another kind of file, or rubbish.
    Foreign(PathBuf),
    /// A file of another layout version.
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        major: u32,
        /// Its minor version.
        minor: u32,
    },
    /// Shorter than its layout, or not as long as it says.
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        is: u64,
        /// What its layout asks for.
        wanted: u64,
    },
    /// Its writer has not finished making it.
    NotReady(PathBuf),
    /// The system refused.
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for ShmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => {
                write!(f, "instance {name:?}: use 1 to 63 of A-Z a-z 0-9 _ . -")
            }
            Self::Missing(path) => write!(f, "{} is not there", path.display()),
            Self::InUse { path, pid } => write!(
                f,
                "another process ({pid}) runs this instance: it holds {}; stop it, or give this \
                 one another `instance`",
                path.display()
            ),
            Self::Foreign(path) => write!(f, "{} is no file of Kamscale", path.display()),
            Self::Version { path, major, minor } => write!(
                f,
                "{} has layout {major}.{minor}, this side needs {MAJOR}.{MINOR}: use one release \
                 of module and agent",
                path.display()
            ),
            Self::Length { path, is, wanted } => {
                write!(f, "{} has {is} bytes instead of {wanted}", path.display())
            }
            Self::NotReady(path) => write!(f, "{} is not ready yet", path.display()),
            Self::Io { doing, path, error } => write!(f, "{doing} {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ShmError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Io { error, .. } = self {
            Some(error)
        } else {
            None
        }
    }
}

pub(crate) fn io_error<'a>(
    doing: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> ShmError + 'a {
    move |error| match error.kind() {
        io::ErrorKind::NotFound if doing == "opening" => ShmError::Missing(path.to_path_buf()),
        _ => ShmError::Io {
            doing,
            path: path.to_path_buf(),
            error,
        },
    }
}

/// A layout that lives in a file of its own: its head, and how it is recognised.
pub(crate) trait Layout: AllAtomic {
    /// First word of the file.
    const MAGIC: u64;
    /// `observed` or `desired`.
    const SUFFIX: &'static str;
    /// The file's head.
    fn header(&self) -> &Header;
}

/// The path of one file of an instance.
pub(crate) fn path_of(dir: &Path, instance: &str, suffix: &str) -> Result<PathBuf, ShmError> {
    if spec::is_name(instance) && !instance.starts_with('.') {
        Ok(dir.join(format!("{instance}.{suffix}")))
    } else {
        Err(ShmError::Instance(instance.to_owned()))
    }
}

/// The right to write one side of an instance; given up when the last copy of the file handle is
/// closed, so it outlives the process that took it in that process's children only.
pub(crate) fn lock(dir: &Path, instance: &str, side: &str) -> Result<File, ShmError> {
    let path = path_of(dir, instance, &format!("{side}.lock"))?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE);
    let file = options
        .open(&path)
        .map_err(io_error("making the lock", &path))?;
    match file.try_lock() {
        Ok(()) => {
            let pid = std::process::id().to_string();
            let text = fs::write(&path, pid).map_err(io_error("writing", &path));
            text.map(|()| file)
        }
        Err(fs::TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path)
                .ok()
                .and_then(|t| t.trim().parse().ok());
            Err(ShmError::InUse {
                path,
                pid: pid.unwrap_or(0),
            })
        }
        Err(fs::TryLockError::Error(error)) => Err(io_error("locking", &path)(error)),
    }
}

/// Makes a new file and puts it in place of an old one. `fill` writes what must be there before
/// anybody sees it; whoever has the old one mapped finds it marked as closed.
pub(crate) fn create<T: Layout>(path: &Path, fill: impl FnOnce(&T)) -> Result<Mapped<T>, ShmError> {
    let old = open::<T>(path, true);
    let temporary = path.with_extension(format!("{}.new", T::SUFFIX));
    let _ = fs::remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(MODE);
    let file = options
        .open(&temporary)
        .map_err(io_error("making", &temporary))?;
    // The mode of open() is cut by the umask; the other side's group must be able to read.
    file.set_permissions(Permissions::from_mode(MODE))
        .map_err(io_error("setting the mode of", &temporary))?;
    file.set_len(size_of::<T>() as u64)
        .map_err(io_error("sizing", &temporary))?;
    let mapped = Mapped::<T>::new(&file, true).map_err(io_error("mapping", &temporary))?;
    fill(mapped.get());
    let header = mapped.get().header();
    header.magic.store(T::MAGIC, Ordering::Relaxed);
    header.major.store(MAJOR, Ordering::Relaxed);
    header.minor.store(MINOR, Ordering::Relaxed);
    header
        .total_bytes
        .store(size_of::<T>() as u64, Ordering::Relaxed);
    header.boot_id.store(new_boot_id(), Ordering::Relaxed);
    header.pid.store(std::process::id(), Ordering::Relaxed);
    header
        .heartbeat_ns
        .store(clock::monotonic_ns(), Ordering::Relaxed);
    // Partner: the Acquire load in `accept`. Who sees it ready sees the rest.
    header.ready.store(READY, Ordering::Release);
    if let Ok(old) = old {
        old.get().header().closed.store(1, Ordering::Release);
    }
    fs::rename(&temporary, path).map_err(io_error("putting in place", path))?;
    Ok(mapped)
}

/// Maps a file if it is what it should be.
pub(crate) fn open<T: Layout>(path: &Path, writable: bool) -> Result<Mapped<T>, ShmError> {
    let mut options = OpenOptions::new();
    // Opening a fifo would wait for its other end, and with it Kamailio's timer.
    let at_once = libc::O_NONBLOCK;
    options.read(true).write(writable).custom_flags(at_once);
    let file = options.open(path).map_err(io_error("opening", path))?;
    let data = file.metadata().map_err(io_error("reading", path))?;
    let wanted = size_of::<T>() as u64;
    if !data.is_file() {
        return Err(ShmError::Foreign(path.to_path_buf()));
    }
    if data.len() < wanted {
        // Longer files are of another version, which the header tells.
        return Err(ShmError::Length {
            path: path.to_path_buf(),
            is: data.len(),
            wanted,
        });
    }
    let mapped = Mapped::<T>::new(&file, writable).map_err(io_error("mapping", path))?;
    accept(&mapped, path)?;
    Ok(mapped)
}

/// Whether the head of a mapped file is what it should be.
pub(crate) fn accept<T: Layout>(mapped: &Mapped<T>, path: &Path) -> Result<(), ShmError> {
    let header = mapped.get().header();
    // Partner: the Release store in `create`.
    let ready = header.ready.load(Ordering::Acquire);
    if header.magic.load(Ordering::Relaxed) != T::MAGIC {
        return Err(ShmError::Foreign(path.to_path_buf()));
    }
    let (major, minor) = (
        header.major.load(Ordering::Relaxed),
        header.minor.load(Ordering::Relaxed),
    );
    if major != MAJOR {
        return Err(ShmError::Version {
            path: path.to_path_buf(),
            major,
            minor,
        });
    }
    let is = header.total_bytes.load(Ordering::Relaxed);
    if is != size_of::<T>() as u64 {
        let wanted = size_of::<T>() as u64;
        return Err(ShmError::Length {
            path: path.to_path_buf(),
            is,
            wanted,
        });
    }
    if ready == READY {
        Ok(())
    } else {
        Err(ShmError::NotReady(path.to_path_buf()))
    }
}

/// Which file stands at a path, as (device, inode); `None` if none does.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// A number that no earlier file of this instance had.
fn new_boot_id() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| {
            u64::try_from(d.as_nanos() & u128::from(u64::MAX)).unwrap_or(0)
        });
    hash::mix(wall ^ (u64::from(std::process::id()) << 32) ^ count) | 1
}
