//! What the platform's DNS servers say, asked as a phone would ask them. It must not know what ought to be there.

use crate::platform::{answer, command_in};

/// The SIP domain of the platform.
pub(crate) const DOMAIN: &str = "example.test";
/// Primary and secondary: host and address.
pub(crate) const SERVERS: [(&str, &str); 2] = [("dns1", "10.77.0.10"), ("dns2", "10.77.0.11")];

/// The records of a name at one server, one a line, sorted; an error if the server is away.
pub(crate) fn ask(server: &str, kind: &str, name: &str) -> Result<Vec<String>, String> {
    let mut dig = command_in("phones", "dig");
    dig.args([
        "+short",
        "+time=1",
        "+tries=2",
        &format!("@{server}"),
        kind,
        name,
    ]);
    let text = answer(&mut dig)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

/// The same at the first server that answers.
pub(crate) fn resolve(kind: &str, name: &str) -> Result<Vec<String>, String> {
    let mut why = String::new();
    for (_, server) in SERVERS {
        match ask(server, kind, name) {
            Ok(found) if !found.is_empty() => return Ok(found),
            Ok(_) => why = format!("{server} knows no {kind} of {name}"),
            Err(problem) => why = problem,
        }
    }
    Err(why)
}

/// Where a phone of the domain sends its requests: the targets of SRV, by priority, as addresses.
pub(crate) fn balancers() -> Result<Vec<String>, String> {
    let mut targets: Vec<(u32, String)> = Vec::new();
    for record in resolve("SRV", &format!("_sip._udp.{DOMAIN}"))? {
        let words: Vec<&str> = record.split_whitespace().collect();
        if let [priority, _, _, name] = words[..] {
            let addresses = resolve("A", name)?;
            let priority = priority.parse().unwrap_or(u32::MAX);
            targets.extend(addresses.into_iter().map(|a| (priority, a)));
        }
    }
    targets.sort();
    Ok(targets.into_iter().map(|(_, address)| address).collect())
}
