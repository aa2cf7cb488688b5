//! The scripts of the KEMI tests: the same cases and the same way of a call, written in kamailio.cfg,
//! Lua, Python and JavaScript. It must not know what a case should come to beyond its code.

use std::fmt::Write;

use crate::kemi_cases::CASES;

/// What a script is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Native,
    Lua,
    Python,
    JavaScript,
}

/// What runs a language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine {
    /// Its module's file.
    pub(crate) module: &'static str,
    /// Its name for `cfgengine`.
    name: &'static str,
}

const COMMON: &str = r#"
debug=2
children=2
listen=KS_LISTEN
disable_tcp=yes
auto_aliases=no
loadmodule "kex.so"
loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dialog.so"
loadmodule KS_MODULE
modparam("ctl", "binrpc", KS_CTL)
modparam("tm", "failure_reply_mode", 3)
modparam("kamscale", "shm_dir", KS_SHM_DIR)
modparam("kamscale", "feature", "calls")
"#;

const NATIVE: &str = r#"
request_route {
    if ($hdr(X-Case) != $null) {
        route(CASES);
        append_to_reply("X-Language: native\r\n");
        append_to_reply("X-Outcome: $var(code) <$du> $rd $ks_member $ks_pool\r\n");
    }
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if (has_totag()) {
        if (loose_route()) t_relay();
        exit;
    }
    record_route();
    if (!ks_select_dst("calls", "serial")) { sl_send_reply("503", "No Member"); exit; }
    t_on_failure("NEXT");
    t_relay();
}
failure_route[NEXT] { if (ks_next_dst()) t_relay(); }
"#;

const LUA: &str = r#"
function ksr_request_route()
    local name = KSR.pv.gete("$hdr(X-Case)")
    if name ~= "" then
        local code = run_case(name)
        local set = "<" .. KSR.pv.gete("$du") .. "> " .. KSR.pv.gete("$rd")
        set = set .. " " .. KSR.pv.gete("$ks_member") .. " " .. KSR.pv.gete("$ks_pool")
        KSR.hdr.append_to_reply("X-Language: lua\r\n")
        KSR.hdr.append_to_reply("X-Outcome: " .. code .. " " .. set .. "\r\n")
    end
    if KSR.is_OPTIONS() then
        KSR.sl.sl_send_reply(200, "OK")
        return 1
    end
    if KSR.siputils.has_totag() > 0 then
        if KSR.rr.loose_route() > 0 then KSR.tm.t_relay() end
        return 1
    end
    KSR.rr.record_route()
    if KSR.kamscale.ks_select_dst_alg("calls", "serial") < 0 then
        KSR.sl.sl_send_reply(503, "No Member")
        return 1
    end
    KSR.tm.t_on_failure("ksr_failure_next")
    KSR.tm.t_relay()
    return 1
end

function ksr_failure_next()
    if KSR.kamscale.ks_next_dst() > 0 then KSR.tm.t_relay() end
    return 1
end
"#;

const PYTHON: &str = r#"
import KSR

def mod_init():
    return Script()

class Script:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, msg):
        name = KSR.pv.gete("$hdr(X-Case)")
        if name != "":
            code = run_case(name)
            got = ["$rd", "$ks_member", "$ks_pool"]
            got = " ".join([KSR.pv.gete(variable) for variable in got])
            KSR.hdr.append_to_reply("X-Language: python\r\n")
            KSR.hdr.append_to_reply("X-Outcome: %s <%s> %s\r\n" % (code, KSR.pv.gete("$du"), got))
        if KSR.is_OPTIONS():
            KSR.sl.sl_send_reply(200, "OK")
            return 1
        if KSR.siputils.has_totag() > 0:
            if KSR.rr.loose_route() > 0:
                KSR.tm.t_relay()
            return 1
        KSR.rr.record_route()
        if KSR.kamscale.ks_select_dst_alg("calls", "serial") < 0:
            KSR.sl.sl_send_reply(503, "No Member")
            return 1
        KSR.tm.t_on_failure("ksr_failure_next")
        KSR.tm.t_relay()
        return 1

    # Without it app_python3 leaves an error behind at every reply, which the next call then reports.
    def ksr_reply_route(self, msg):
        return 1

    def ksr_failure_next(self, msg):
        if KSR.kamscale.ks_next_dst() > 0:
            KSR.tm.t_relay()
        return 1
"#;

const JAVASCRIPT: &str = r#"
function ksr_request_route() {
    var name = KSR.pv.gete("$hdr(X-Case)");
    if (name != "") {
        var code = run_case(name);
        var set = "<" + KSR.pv.gete("$du") + "> " + KSR.pv.gete("$rd");
        set += " " + KSR.pv.gete("$ks_member") + " " + KSR.pv.gete("$ks_pool");
        KSR.hdr.append_to_reply("X-Language: javascript\r\n");
        KSR.hdr.append_to_reply("X-Outcome: " + code + " " + set + "\r\n");
    }
    if (KSR.is_OPTIONS()) {
        KSR.sl.sl_send_reply(200, "OK");
        return;
    }
    if (KSR.siputils.has_totag() > 0) {
        if (KSR.rr.loose_route() > 0) { KSR.tm.t_relay(); }
        return;
    }
    KSR.rr.record_route();
    if (KSR.kamscale.ks_select_dst_alg("calls", "serial") < 0) {
        KSR.sl.sl_send_reply(503, "No Member");
        return;
    }
    KSR.tm.t_on_failure("ksr_failure_next");
    KSR.tm.t_relay();
}

function ksr_failure_next() {
    if (KSR.kamscale.ks_next_dst() > 0) { KSR.tm.t_relay(); }
}
"#;

impl Language {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Lua => "lua",
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Native => "script.txt",
            Self::Lua => "script.lua",
            // It is imported by this name, which must be that of no module of Python's own.
            Self::Python => "kamscale_cases.py",
            Self::JavaScript => "script.js",
        }
    }

    pub(crate) fn engine(self) -> Option<Engine> {
        let (module, name) = match self {
            Self::Native => return None,
            Self::Lua => ("app_lua.so", "lua"),
            Self::Python => ("app_python3.so", "python"),
            Self::JavaScript => ("app_jsdt.so", "jsdt"),
        };
        Some(Engine { module, name })
    }

    /// The configuration; `KS_SCRIPT` is where [`Self::script`] is.
    pub(crate) fn config(self) -> String {
        let Some(Engine { module, name }) = self.engine() else {
            return format!("{COMMON}{}{NATIVE}", native_cases());
        };
        let parameters = module.trim_end_matches(".so");
        format!(
            "{COMMON}loadmodule \"{module}\"\nmodparam(\"{parameters}\", \"load\", KS_SCRIPT)\n\
             cfgengine \"{name}\"\n"
        )
    }

    /// The script; nothing for kamailio.cfg, which has it in itself.
    pub(crate) fn script(self) -> String {
        match self {
            Self::Native => String::new(),
            Self::Lua => {
                let cases = branches("    if name == \"{}\" then\n", "        ", "    end\n");
                format!("function run_case(name)\n{cases}    return \"unknown\"\nend\n{LUA}")
            }
            Self::Python => {
                let cases = branches("    if name == \"{}\":\n", "        ", "");
                format!("{PYTHON}\ndef run_case(name):\n{cases}    return \"unknown\"\n")
            }
            Self::JavaScript => {
                let cases = branches("    if (name == \"{}\") {\n", "        ", "    }\n");
                format!(
                    "function run_case(name) {{\n{cases}    return \"unknown\";\n}}\n{JAVASCRIPT}"
                )
            }
        }
    }
}

/// All cases as branches. A call is written alike in the three languages.
fn branches(open: &str, indent: &str, close: &str) -> String {
    let mut text = String::new();
    for case in CASES {
        text += &open.replace("{}", case.name);
        let last = case.calls.len() - 1;
        for (n, call) in case.calls.iter().enumerate() {
            let arguments: Vec<_> = call.arguments.iter().map(|a| format!("\"{a}\"")).collect();
            let answer = if n == last { "return " } else { "" };
            let (function, arguments) = (call.function, arguments.join(", "));
            writeln!(text, "{indent}{answer}KSR.kamscale.{function}({arguments})").unwrap();
        }
        text += close;
    }
    text
}

/// Computed parameters, as a constant that is wrong would be refused at the start.
fn native_cases() -> String {
    let mut text = String::from("route[CASES] {\n");
    for case in CASES {
        writeln!(text, "    if ($hdr(X-Case) == \"{}\") {{", case.name).unwrap();
        for call in case.calls {
            let mut names = Vec::new();
            for (n, argument) in call.arguments.iter().enumerate() {
                writeln!(text, "        $var(a{n}) = \"{argument}\";").unwrap();
                names.push(format!("\"$var(a{n})\""));
            }
            let function = native_name(call.function);
            writeln!(text, "        {function}({});", names.join(", ")).unwrap();
            text += "        $var(code) = $rc;\n";
        }
        text += "    }\n";
    }
    text + "}\n"
}

/// KEMI has one name for each number of parameters.
fn native_name(function: &str) -> &str {
    match function {
        "ks_is_from_any_pool" => "ks_is_from_pool",
        _ => ["_alg", "_key", "_state", "_uri", "_fit"]
            .iter()
            .find_map(|suffix| function.strip_suffix(suffix))
            .unwrap_or(function),
    }
}
