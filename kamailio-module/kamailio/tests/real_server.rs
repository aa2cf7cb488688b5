//! Runs the shell tests beside this file, which load the examples into a real Kamailio. Nothing
//! here links the crate: outside a server the core's symbols do not exist.

#[cfg(test)]
#[cfg(feature = "host")]
mod tests {
    use std::path::Path;
    use std::process::Command;

    fn run(script: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(script);
        let status = Command::new("bash")
            .arg(path)
            .status()
            .expect("bash starts");
        assert!(status.success(), "{script}: {status}");
    }

    #[test]
    fn a_module_does_what_its_script_expects() {
        run("hello.sh");
    }

    #[test]
    fn transactions_dialogs_and_timers_work_through_the_safe_layer() {
        run("exercise.sh");
    }

    #[test]
    fn servers_talk_over_dmq() {
        run("talk.sh");
    }
}
