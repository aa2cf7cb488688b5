//! Compares the build that the headers describe with the installed `kamailio`. Pure functions,
//! shared by the build script and its test; they run no command and read no file.

/// What the loader compares before it accepts a module (core/sr_module.c, version_control).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// SER_FULL_VERSION, e.g. `kamailio 5.6.3 (x86_64/linux)`.
    pub(crate) version: String,
    /// SER_COMPILE_FLAGS, e.g. `USE_TCP, USE_TLS`.
    pub(crate) flags: String,
}

/// Reads the initializers of `shim_full_version` and `shim_compile_flags` from the preprocessed
/// shim.
pub(crate) fn from_preprocessed(text: &str) -> Option<Build> {
    Some(Build {
        version: initializer(text, "shim_full_version[] =")?,
        flags: initializer(text, "shim_compile_flags[] =")?,
    })
}

/// Reads what `kamailio -v` prints. A revision may follow the version: the loader does not compare
/// it.
pub(crate) fn from_server(output: &str) -> Option<Build> {
    let line = |key| output.lines().find_map(|line: &str| line.strip_prefix(key));
    let version = line("version: ")?;
    let end = version.find(')')? + 1;
    Some(Build {
        version: version.get(..end)?.trim().to_owned(),
        flags: line("flags: ")?.trim().to_owned(),
    })
}

/// `Err` says in words what differs, and shows both sides.
pub(crate) fn compare(headers: &Build, server: &Build) -> Result<(), String> {
    if headers == server {
        return Ok(());
    }
    let mut message = String::from("the headers are not those of the installed kamailio:\n");
    for (what, ours, theirs) in [
        ("version", &headers.version, &server.version),
        ("flags", &headers.flags, &server.flags),
    ] {
        if ours != theirs {
            message += &format!("  {what} of the headers:   {ours}\n");
            message += &format!("  {what} of the installed: {theirs}\n");
        }
    }
    Err(message + "That server would refuse to start with this module.")
}

/// Joins the string literals between `name` and the next semicolon outside a literal.
fn initializer(text: &str, name: &str) -> Option<String> {
    let start = text.find(name)? + name.len();
    let mut joined = String::new();
    let mut quoted = false;
    let mut chars = text.get(start..)?.chars();
    while let Some(c) = chars.next() {
        match (quoted, c) {
            (_, '"') => quoted = !quoted,
            (false, ';') => return Some(joined.trim().to_owned()),
            (true, '\\') => joined.push(chars.next()?),
            (true, c) => joined.push(c),
            // line markers of the preprocessor (# 12 "file") would join a file name
            (false, '#') => return None,
            (false, _) => {}
        }
    }
    None
}
