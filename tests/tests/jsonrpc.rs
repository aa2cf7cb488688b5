//! Commands over the jsonrpcs module, as other programs send them. It must not expect anything.

use std::os::unix::net::UnixDatagram;

use kamscale_tests::{PATIENCE, RunDir};
use serde_json::{Value, json};

/// A command over the jsonrpcs module; its result, or its error as code and text.
pub(crate) fn jsonrpc(run: &RunDir, method: &str, params: &[&str]) -> Result<Value, (i64, String)> {
    let _ = std::fs::remove_file(run.file("jsonrpc.client"));
    let socket = UnixDatagram::bind(run.file("jsonrpc.client")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let sent = socket.send_to(request.to_string().as_bytes(), run.file("jsonrpc"));
    assert!(sent.is_ok(), "{method}: {sent:?}");
    let mut buffer = vec![0; 1 << 20];
    let got = socket.recv(&mut buffer);
    let length = got.unwrap_or_else(|e| panic!("{method}: {e}"));
    let mut reply: Value = serde_json::from_slice(&buffer[..length]).unwrap();
    match reply["error"].take() {
        Value::Null => Ok(reply["result"].take()),
        error => {
            let text = error["message"].as_str().unwrap_or_default();
            Err((error["code"].as_i64().unwrap_or(0), text.to_owned()))
        }
    }
}
