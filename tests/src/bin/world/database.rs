//! The platform's database, asked at a node of it as an administrator. It must not know what ought to be there.

use crate::platform::Platform;

const NODES: [&str; 3] = ["db1", "db2", "db3"];

/// The rows that a statement gives, fields separated by tabs, at the first node that answers.
pub(crate) fn ask(statement: &str) -> Result<Vec<String>, String> {
    let mut why = String::new();
    for node in NODES {
        match ask_at(node, statement) {
            Ok(rows) => return Ok(rows),
            Err(problem) => why = problem,
        }
    }
    Err(why)
}

fn ask_at(node: &str, statement: &str) -> Result<Vec<String>, String> {
    let words = [
        "mysql",
        "--batch",
        "--skip-column-names",
        "kamailio",
        "-e",
        statement,
    ];
    let text = Platform::run(node, &words)?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The node with most clients: the one that the proxies send them to.
pub(crate) fn active_node() -> Option<&'static str> {
    let clients = |node: &&str| -> Option<u32> {
        let rows = ask_at(
            node,
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user <> 'root' AND host LIKE '10.%'",
        );
        rows.ok()?.first()?.parse().ok()
    };
    let counted = NODES
        .into_iter()
        .filter_map(|node| Some((clients(&node)?, node)));
    counted.max().map(|(_, node)| node)
}

/// Has these subscribers, with the password that [`password`] names.
pub(crate) fn subscribe(users: impl Iterator<Item = String>, domain: &str) -> Result<(), String> {
    let users: Vec<String> = users.collect();
    for some in users.chunks(500) {
        let rows = some.iter().map(|user| {
            let secret = password(user);
            format!(
                "('{user}','{domain}','{secret}',MD5('{user}:{domain}:{secret}'),MD5('{user}@{domain}:{domain}:{secret}'))"
            )
        });
        let rows: Vec<String> = rows.collect();
        let head = "REPLACE INTO subscriber (username, domain, password, ha1, ha1b) VALUES ";
        ask(&format!("{head}{}", rows.join(",")))?;
    }
    Ok(())
}

/// The password of a subscriber.
pub(crate) fn password(user: &str) -> String {
    format!("pw-{user}")
}
