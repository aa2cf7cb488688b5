//! Generates the bindings and compiles the shim against one exact Kamailio build, and refuses
//! headers that are not those of the installed server. It must not fetch anything:
//! scripts/kamailio-headers.sh does.

mod check;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TYPES: &str = "\
    request_method|rpc_flags|module_exports|cmd_export_t|param_export_t|modparam_t|rpc_export_t|\
    rpc_t|pv_export_t|pv_spec_t|pv_value_t|pv_param_t|sr_kemi_t|sip_msg|hdr_field|to_body|\
    cseq_body|ip_addr|str_|fparam_t|action|run_act_ctx|sr_xval_t|sr_xavp_t|dlg_binds|\
    dlg_cb_params|dlg_callback|dlg_cell|counter_handle_t|counter_val_t|\
    script_cb_flag|sip_protos|tm_binds|uac_req|tmcb_params|dmq_api_t|dmq_peer_t|dmq_node_t|dmq_resp_cback_t|\
    peer_reponse_t";
const FUNCTIONS: &str = "\
    shim_.*|sr_kemi_modules_add|find_export|set_dst_uri|do_action|parse_headers|get_str_fparam|\
    get_body|fixup_spve_null|fixup_free_spve_null|pv_get_null|pv_get_strval|pv_get_buffer|\
    pv_get_buffer_size|pv_get_spec_value|pv_value_destroy|xavp_get_crt_list|xavp_add_value|\
    counter_register|register_timer|\
    register_script_cb|get_ticks|get_max_procs|my_pid|my_desc|find_module_by_name|\
    find_param_export|register_basic_timers|fork_basic_utimer|route_lookup|\
    faked_msg_init|faked_msg_next|run_top_route|sr_kemi_eng_get|sr_kemi_route|append_branch|\
    rewrite_uri|reset_new_uri|reset_dst_uri|lookup_local_socket|\
    ksr_get_socket_by_name";
const VARIABLES: &str = "\
    shim_.*|SHIM_.*|MODULE_INTERFACE_VER|PARAM_(INT|STRING)|PROC_.*|.*_ROUTE|SR_KEMIP_(INT|STR)|\
    process_no|route_type|L_(CRIT2|ERR|WARN|NOTICE|INFO|DBG)|DLGCB_.*|DLG_STATE_DELETED|\
    CNT_F_NO_RESET|PVT_OTHER|PV_VAL_NULL|FPARAM_PVE|SR_XTYPE_STR|(PRE|POST)_SCRIPT_CB|\
    SET_HOSTALL_T|STRING_ST|\
    HDR_(TO|CALLID|CSEQ|EOH)_T|METHOD_.*|SIP_REQUEST|TMCB_LOCAL_COMPLETED|event_rt|nr_branches|\
    sr_dst_max_branches";

fn main() {
    for name in ["KAMAILIO_SRC", "KAMAILIO_DEFS", "KAMAILIO_BIN"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=csrc");
    println!("cargo:rerun-if-changed=build");
    let result = headers().and_then(|(src, defs)| {
        check_build(&shim(&src, &defs))?;
        shim(&src, &defs).compile("kamailio_shim");
        bindings(&src, &defs)
    });
    if let Err(message) = result {
        eprintln!("\n{message}\n");
        std::process::exit(1);
    }
}

/// The directory with core/ and modules/, and the -D list.
fn headers() -> Result<(PathBuf, Vec<String>), String> {
    let (src, defs) = match env::var_os("KAMAILIO_SRC") {
        Some(tree) => given(Path::new(&tree))?,
        None => fetched().ok_or(
            "Kamailio's headers are missing. Run scripts/kamailio-headers.sh, or set KAMAILIO_SRC \
             to a source tree and KAMAILIO_DEFS to the -D list of its build.",
        )?,
    };
    println!("cargo:rerun-if-changed={}", defs.display());
    let text = fs::read_to_string(&defs).map_err(|e| format!("{}: {e}", defs.display()))?;
    let words = text.lines().map(|line| {
        shlex::split(line).ok_or_else(|| format!("{}: unbalanced quotes: {line}", defs.display()))
    });
    Ok((src, words.collect::<Result<Vec<_>, _>>()?.concat()))
}

/// KAMAILIO_SRC is the tree or its src/; the list is KAMAILIO_DEFS or the file `defs` in it.
fn given(tree: &Path) -> Result<(PathBuf, PathBuf), String> {
    let src = [tree.join("src"), tree.to_owned()]
        .into_iter()
        .find(|dir| dir.join("core/sr_module.h").is_file())
        .ok_or_else(|| format!("KAMAILIO_SRC={}: no core/sr_module.h there", tree.display()))?;
    let defs = env::var_os("KAMAILIO_DEFS").map_or_else(|| tree.join("defs"), PathBuf::from);
    if !defs.is_file() {
        return Err(format!(
            "{} is missing: the -D list of the build. KAMAILIO_SRC={} \
             scripts/kamailio-headers.sh makes one; then build without KAMAILIO_SRC.",
            defs.display(),
            tree.display()
        ));
    }
    Ok((src, defs))
}

/// target/kamailio/current, as the script leaves it; the target directory is one that holds
/// OUT_DIR.
fn fetched() -> Option<(PathBuf, PathBuf)> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.join("../../target");
    let current = out
        .ancestors()
        .chain([workspace.as_path()])
        .map(|dir| dir.join("kamailio/current"))
        .find(|dir| dir.join("complete").is_file())?;
    println!(
        "cargo:rerun-if-changed={}",
        current.join("complete").display()
    );
    Some((current.join("src"), current.join("defs")))
}

fn shim(src: &Path, defs: &[String]) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .file("csrc/shim.c")
        .include(src)
        .include("csrc")
        .warnings(false)
        .flag("-w");
    for define in defs {
        build.flag(define);
    }
    build
}

/// Stops unless the installed server is the one that the headers describe.
fn check_build(shim: &cc::Build) -> Result<(), String> {
    let wanted = env::var("KAMAILIO_BIN").ok();
    if wanted.as_deref() == Some("none") {
        println!("cargo:warning=KAMAILIO_BIN=none: the headers are not compared with a kamailio");
        return Ok(());
    }
    let expanded = shim.try_expand().map_err(|e| format!("csrc/shim.c: {e}"))?;
    let headers = check::from_preprocessed(&String::from_utf8_lossy(&expanded))
        .ok_or("csrc/shim.c: the version strings are not found after preprocessing")?;
    let server = installed(wanted)?;
    println!("cargo:rerun-if-changed={}", server.display());
    let output = Command::new(&server)
        .arg("-v")
        .output()
        .map_err(|e| format!("{}: {e}", server.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let server = check::from_server(&text).ok_or_else(|| {
        format!(
            "{} -v prints no version and flags, but: {text}",
            server.display()
        )
    })?;
    check::compare(&headers, &server).map_err(|message| {
        format!(
            "{message}\nRun scripts/kamailio-headers.sh, or name the right server in KAMAILIO_BIN."
        )
    })
}

/// KAMAILIO_BIN, or the first kamailio in PATH, or where packages put it (/usr/sbin is not in
/// everybody's PATH).
fn installed(wanted: Option<String>) -> Result<PathBuf, String> {
    if let Some(path) = wanted {
        return Ok(PathBuf::from(path));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join("kamailio"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            "no kamailio is installed to compare the headers with. Install it, name it in \
             KAMAILIO_BIN, or skip the comparison with KAMAILIO_BIN=none."
                .to_owned()
        })
}

/// Allowlists are needed: the unrestricted output does not compile (IPPORT_RESERVED is defined
/// twice).
fn bindings(src: &Path, defs: &[String]) -> Result<(), String> {
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    bindgen::Builder::default()
        .header("csrc/wrapper.h")
        .clang_arg(format!("-I{}", src.display()))
        .clang_arg("-Icsrc")
        .clang_arg("-w")
        .clang_args(defs)
        .use_core()
        .derive_default(false)
        .generate_comments(false)
        .prepend_enum_name(false)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .allowlist_type(TYPES)
        .allowlist_function(FUNCTIONS)
        .allowlist_var(VARIABLES)
        .generate()
        .map_err(|e| e.to_string())?
        .write_to_file(Path::new(&out).join("kamailio.rs"))
        .map_err(|e| e.to_string())
}
