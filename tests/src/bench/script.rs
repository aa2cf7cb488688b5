//! What is measured, as Kamailio scripts: one route per case, that runs one statement in a loop.

use std::fmt::Write as _;

use super::pools::{self, SIZES};

/// Calls that stand in one round of a loop. Many, because the loop itself allocates, and what that
/// costs depends on the heap: with 20 the subtraction was wrong by up to 13 instructions a call.
pub const UNROLLED: u32 = 200;
/// The loop with nothing in it.
pub const EMPTY: &str = "empty";

/// What stands for the first call of a request when only `$du` is set: the memory that a first
/// destination takes, and showing it in the answer, cost the same after every way of choosing it.
pub const NOTHING: &str = "once_nothing";

/// The case of a sticky key.
pub const STICKY: &str = "ks_sticky_1000";
/// The case of an admission.
pub const ADMIT: &str = "ks_admit";
/// What scripts use instead: a counter in shared memory by the same key, under the lock of its slot.
pub const SHTINC: &str = "shtinc";

/// One statement.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name: that of its route.
    pub name: String,
    /// What is called.
    pub call: String,
    /// So many times dearer than others that fewer rounds will do.
    pub heavy: u32,
    /// Whether it is measured as the first call of a request, too.
    pub once: bool,
    /// The port that `$du` names afterwards, if it sets one.
    pub port: Option<u16>,
}

/// How both sides are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Neither prepares failover.
    Plain,
    /// Both do: the dispatcher with limit 1.
    Failover,
}

/// The algorithms that are compared, with the dispatcher's number for the same.
pub const COMPARED: [(&str, u32); 2] = [("round_robin", 4), ("hash", 0)];
/// Our algorithms that cost the same in every pool.
pub const FLAT: [&str; 7] = [
    "round_robin",
    "hash",
    "random",
    "weight",
    "p2c",
    "serial",
    "bounded_hash",
];
/// The one that looks at every member.
pub const LINEAR: &str = "least_calls";

/// The feature that is counted and admitted.
pub const FEATURE: &str = "all";

const CLEAR_STOCK: &str = "$xavp(_dsdst_[*]) = $null; $xavp(_dsctx_[*]) = $null;";
const CLEAR_OURS: &str = "$xavp(_ks[*]) = $null;";

fn case(name: &str, call: impl Into<String>, port: Option<u16>) -> Case {
    Case {
        name: name.into(),
        call: call.into(),
        heavy: 1,
        once: false,
        port,
    }
}

/// The size whose cases are measured as first calls, too.
pub const ONCE: usize = 1000;

/// A case of a pool of this size that is compared with the other side's.
fn compared(name: &str, call: String, size: usize) -> Case {
    Case {
        once: size == ONCE,
        ..case(name, call, Some(pools::port(size)))
    }
}

fn set_du() -> String {
    format!("$du = \"{}\";", pools::CONSTANT_URI)
}

impl Mode {
    /// The cases that are measured in this mode.
    #[must_use]
    pub fn cases(self) -> Vec<Case> {
        let mut cases = vec![case(EMPTY, "", None), case("set_du", set_du(), Some(5099))];
        match self {
            Self::Plain => plain(&mut cases),
            Self::Failover => failover(&mut cases),
        }
        cases
    }

    fn parameters(self) -> &'static str {
        match self {
            Self::Plain => {
                "modparam(\"kamscale\", \"failover\", 0)\n\
                 modparam(\"dispatcher\", \"flags\", 0)\n\
                 modparam(\"dispatcher\", \"xavp_ctx_mode\", 1)\n"
            }
            Self::Failover => {
                "modparam(\"kamscale\", \"failover\", 1)\n\
                 modparam(\"dispatcher\", \"flags\", 2)\n"
            }
        }
    }
}

fn plain(cases: &mut Vec<Case>) {
    cases.push(case("ks_count", "ks_count(\"all\");", None));
    cases.push(case("update_stat", "update_stat(\"st1\", \"+1\");", None));
    for size in SIZES {
        let (pool, set, port) = (pools::name(size), pools::set(size), Some(pools::port(size)));
        for (name, number) in COMPARED {
            let call = format!("ds_select_dst(\"{set}\", \"{number}\");");
            cases.push(compared(&format!("ds_{name}_{size}"), call, size));
        }
        for name in FLAT {
            let call = format!("ks_select_dst(\"{pool}\", \"{name}\");");
            cases.push(compared(&format!("ks_{name}_{size}"), call, size));
        }
        let call = format!("ks_select_dst(\"{pool}\", \"{LINEAR}\");");
        cases.push(Case {
            heavy: u32::try_from(size / 10).unwrap_or(1).max(1),
            ..case(&format!("ks_{LINEAR}_{size}"), call, port)
        });
        let call = format!("ks_select_dst(\"{pool}\", \"sticky\", \"$ci\");");
        cases.push(case(&format!("ks_sticky_{size}"), call, port));
    }
    cases.push(case(ADMIT, format!("ks_admit(\"{FEATURE}\");"), None));
    cases.push(case(SHTINC, "$var(x) = $shtinc(keys=>$ci);", None));
    let port = Some(pools::port(10));
    let keyed = "ks_select_dst(\"p10\", \"hash\", \"$ci\");";
    cases.push(case("ks_hash_key_10", keyed, port));
    let named = "ks_select_dst(\"$var(pool)\", \"round_robin\");";
    cases.push(case("ks_named_10", named, port));
}

fn failover(cases: &mut Vec<Case>) {
    cases.push(case("clear_stock", CLEAR_STOCK, None));
    cases.push(case("clear_ours", CLEAR_OURS, None));
    for size in SIZES {
        let (pool, set, port) = (pools::name(size), pools::set(size), Some(pools::port(size)));
        for (name, number) in COMPARED {
            let stock = format!("ds_select_dst(\"{set}\", \"{number}\", \"1\"); {CLEAR_STOCK}");
            cases.push(compared(&format!("ds_{name}_{size}"), stock, size));
            let ours = format!("ks_select_dst(\"{pool}\", \"{name}\");");
            let fresh = format!("{ours} {CLEAR_OURS}");
            cases.push(compared(&format!("ks_{name}_{size}"), fresh, size));
            cases.push(case(&format!("ks_{name}_{size}_in_place"), ours, port));
        }
    }
}

/// The same statements once in a request: a request with `X-N: 2` runs them, one with 1 does not.
#[must_use]
pub fn once(cases: &[Case]) -> Vec<Case> {
    let nothing = case(NOTHING, set_du(), None);
    let measured = cases.iter().filter(|c| c.once).map(|c| Case {
        name: format!("once_{}", c.name),
        // What clears belongs to the loop: a request clears by ending.
        call: c.call.replace(CLEAR_STOCK, "").replace(CLEAR_OURS, ""),
        ..c.clone()
    });
    [nothing].into_iter().chain(measured).collect()
}

/// What every configuration of the bench begins with. The dispatcher's list is in `list`.
#[must_use]
pub fn head(children: u32, list: &std::path::Path, parameters: &str) -> String {
    let modules = "ctl pv tm sl siputils cfgutils statistics dispatcher htable";
    let mut text = String::from(
        "#!KAMAILIO\ndebug=1\ndisable_tcp=yes\nauto_aliases=no\nmax_while_loops=100000000\n\
         listen=KS_LISTEN\n",
    );
    let _ = writeln!(text, "children={children}");
    for module in modules.split(' ') {
        let _ = writeln!(text, "loadmodule \"{module}.so\"");
    }
    let _ = write!(
        text,
        "loadmodule KS_MODULE\n\
         modparam(\"ctl\", \"binrpc\", KS_CTL)\n\
         modparam(\"kamscale\", \"shm_dir\", KS_SHM_DIR)\n\
         modparam(\"kamscale\", \"feature\", \"{FEATURE}\")\n\
         modparam(\"statistics\", \"variable\", \"st1\")\n\
         modparam(\"htable\", \"htable\", \"keys=>size=16;\")\n\
         modparam(\"dispatcher\", \"list_file\", \"{}\")\n\
         modparam(\"dispatcher\", \"ds_ping_interval\", 0)\n\
         {parameters}",
        list.display()
    );
    text
}

/// The configuration of one run: a request's user names the case, its header `X-N` the rounds.
#[must_use]
pub fn config(mode: Mode, children: u32, list: &std::path::Path, cases: &[Case]) -> String {
    let mut text = head(children, list, mode.parameters());
    text.push_str(
        "request_route {\n\
         \t$var(pool) = \"p10\";\n\
         \t$var(i) = 0;\n\
         \t$var(n) = $(hdr(X-N){s.int});\n\
         \t$var(began) = $TV(Sn);\n\
         \tswitch ($rU) {\n",
    );
    let once = once(cases);
    for case in cases.iter().chain(&once) {
        let _ = writeln!(text, "\tcase \"{0}\": route({0}); break;", case.name);
    }
    text.push_str(
        "\t}\n\
         \t$var(answer) = $var(began) + \" \" + $TV(Sn) + \" \" + $pp + \" \" + $du;\n\
         \tsl_send_reply(\"200\", \"$var(answer)\");\n\
         \texit;\n}\n",
    );
    for case in cases {
        let _ = writeln!(
            text,
            "route[{}] {{\n\twhile ($var(i) < $var(n)) {{",
            case.name
        );
        let calls = if case.call.is_empty() { 0 } else { UNROLLED };
        for _ in 0..calls {
            let _ = writeln!(text, "\t\t{}", case.call);
        }
        text.push_str("\t\t$var(i) = $var(i) + 1;\n\t}\n}\n");
    }
    for case in &once {
        let (name, call) = (&case.name, &case.call);
        let _ = writeln!(
            text,
            "route[{name}] {{\n\tif ($var(n) > 1) {{ {call} }}\n}}"
        );
    }
    text
}
