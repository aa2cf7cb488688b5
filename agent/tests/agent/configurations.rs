//! What the agents of these tests are told: all waits in seconds.

use crate::harness::Bench;

impl Bench {
    /// Writes the configuration; `more` goes into the pool's section.
    pub(crate) fn configure(&self, more: &str) {
        let dir = self.dir.path().display();
        let (network, process) = (self.network, std::process::id() % 200 + 20);
        let start = if more.contains("start =") {
            String::new()
        } else {
            format!("start = [\"python3\", \"{dir}/member.py\", \"{{address}}\", \"{{port}}\"]")
        };
        let min = if more.contains("min =") {
            ""
        } else {
            "min = 1\n"
        };
        let (pool, local) = more.split_once("[local]").unwrap_or((more, ""));
        let text = format!(
            "[agent]\nshm_dir = \"{dir}\"\nstate_file = \"{dir}/state.json\"\n\
             audit_file = \"{dir}/audit.jsonl\"\nlisten = \"unix:{dir}/agent.sock\"\n\
             interval_s = 0.1\n\
             [pools.conference]\n{min}max = 3\nstabilization_s = 1\ncooldown_out_s = 0.2\n\
             cooldown_in_s = 0.2\nempty_for_s = 0.5\nprotect_new_s = 0\nboot_s = 0\n\
             outage_guard_s = 0\nmax_shrink_share = 1\n{pool}\n\
             [pools.conference.member]\ncapacity_calls = 10\n\
             [pools.conference.local]\n{start}\nport = 5070\n\
             addresses = \"127.{process}.{network}.1-127.{process}.{network}.9\"\n\
             ready_options = 2\nready_interval_s = 0.05\nboot_timeout_s = 30\n{local}\n\
             [pools.queue]\n[[pools.queue.members]]\nname = \"queue-1\"\nuri = \"sip:127.0.2.1\"\n"
        );
        std::fs::write(self.path("agent.toml"), text).unwrap();
    }

    /// Writes a configuration with a stack `platform` of two ccp and one presence, 10 calls each.
    pub(crate) fn configure_stack(&self, more: &str) {
        let dir = self.dir.path().display();
        let (network, process) = (self.network, std::process::id() % 200 + 20);
        let pool = |name: &str, first: u8| {
            format!(
                "[pools.{name}.member]\ncapacity_calls = 10\n[pools.{name}.local]\n\
                 start = [\"python3\", \"{dir}/member.py\", \"{{address}}\", \"{{port}}\"]\n\
                 addresses = \"127.{process}.{network}.{first}-127.{process}.{network}.{}\"\n\
                 port = 5070\nready_options = 2\nready_interval_s = 0.05\n",
                first + 9
            )
        };
        let text = format!(
            "[agent]\nshm_dir = \"{dir}\"\nstate_file = \"{dir}/state.json\"\n\
             audit_file = \"{dir}/audit.jsonl\"\nlisten = \"unix:{dir}/agent.sock\"\n\
             interval_s = 0.1\n[stacks.platform]\npools = {{ ccp = 2, presence = 1 }}\n\
             min = 1\nmax = 2\nstabilization_s = 1\ncooldown_out_s = 0.2\ncooldown_in_s = 0.2\n\
             empty_for_s = 0.5\nprotect_new_s = 0\nboot_s = 0\noutage_guard_s = 0\n\
             create_retry_s = 0.1\n{more}\n{}{}",
            pool("ccp", 1),
            pool("presence", 101)
        );
        std::fs::write(self.path("agent.toml"), text).unwrap();
    }
}
