//! The comparison of headers and installed server that the build script makes.

#[path = "../build/check.rs"]
mod check;

#[cfg(test)]
mod tests {
    use super::check::{Build, compare, from_preprocessed, from_server};

    const PREPROCESSED: &str = r#"
extern const char shim_full_version[];
const char shim_full_version[] = "kamailio" " " "5.6.3" " (" "x86_64" "/" "linux" ")" ;
const char shim_compile_flags[] = "USE_TCP" ", USE_TLS" "" ", FAST_LOCK" "-ADAPTIVE_WAIT";
"#;
    const PRINTED: &str = "version: kamailio 5.6.3 (x86_64/linux) \n\
        flags: USE_TCP, USE_TLS, FAST_LOCK-ADAPTIVE_WAIT\n\
        ADAPTIVE_WAIT_LOOPS 1024\nid: unknown \n";

    fn both() -> (Build, Build) {
        (
            from_preprocessed(PREPROCESSED).unwrap(),
            from_server(PRINTED).unwrap(),
        )
    }

    #[test]
    fn the_same_build_is_accepted() {
        let (headers, server) = both();
        assert_eq!(headers.version, "kamailio 5.6.3 (x86_64/linux)");
        assert_eq!(compare(&headers, &server), Ok(()));
    }

    #[test]
    fn another_version_is_refused_with_both_shown() {
        let (headers, mut server) = both();
        server.version = "kamailio 5.6.4 (x86_64/linux)".into();
        let message = compare(&headers, &server).unwrap_err();
        assert!(
            message.contains("kamailio 5.6.3 (x86_64/linux)"),
            "{message}"
        );
        assert!(
            message.contains("kamailio 5.6.4 (x86_64/linux)"),
            "{message}"
        );
        assert!(!message.contains("flags"), "{message}");
    }

    #[test]
    fn other_flags_are_refused_with_both_shown() {
        let (mut headers, server) = both();
        headers.flags = "USE_TCP".into();
        let message = compare(&headers, &server).unwrap_err();
        assert!(
            message.contains("flags of the headers:   USE_TCP\n"),
            "{message}"
        );
        assert!(
            message.contains("USE_TCP, USE_TLS, FAST_LOCK-ADAPTIVE_WAIT"),
            "{message}"
        );
    }

    #[test]
    fn a_revision_is_not_part_of_the_version() {
        let output = "version: kamailio 5.6.3 (x86_64/linux) 4af3c1\nflags: USE_TCP\n";
        assert_eq!(
            from_server(output).unwrap().version,
            "kamailio 5.6.3 (x86_64/linux)"
        );
    }

    #[test]
    fn unknown_output_is_no_build() {
        assert_eq!(from_server("bash: kamailio: command not found\n"), None);
        assert_eq!(
            from_preprocessed("const char shim_full_version[] = SER_FULL_VERSION"),
            None
        );
    }
}
