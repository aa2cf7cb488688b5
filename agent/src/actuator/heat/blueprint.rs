//! What a member's stack is made of: template, environment, the files that they name, parameters.
//!
//! It reads files and nothing else. YAML is not understood here, only searched: Heat is the judge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::UnitOf;
use super::trouble::failed;
use crate::actuator::{ActuatorError, Order};
use crate::config::HeatConfig;
use crate::heat::NewStack;

/// The first tag of every stack that an agent makes.
pub(super) const TAG: &str = "kamscale";

/// Reads all that a new stack needs.
pub(super) async fn read(
    config: &HeatConfig,
    name: String,
    instance: &str,
    order: &Order,
    unit: Option<&UnitOf>,
) -> Result<NewStack, ActuatorError> {
    let file = config.template.as_deref();
    let file = file.ok_or_else(|| failed("`template` is missing in the heat section"))?;
    let template = text(file).await?;
    let mut files = BTreeMap::new();
    let folder = file.parent().unwrap_or(Path::new("."));
    add_files(folder, &template, &mut files).await;
    let environment = match &config.environment {
        Some(file) => {
            let environment = text(file).await?;
            let folder = file.parent().unwrap_or(Path::new("."));
            add_files(folder, &environment, &mut files).await;
            Some(environment)
        }
        None => None,
    };
    let parameters = parameters(config, &template, instance, order, unit)?;
    Ok(NewStack {
        stack_name: name,
        template,
        environment,
        parameters,
        files,
        tags: format!("{TAG},{instance}"),
    })
}

async fn text(file: &Path) -> Result<String, ActuatorError> {
    let read = contents(file.to_owned()).await;
    read.map_err(|error| {
        failed(format!(
            "cannot read {}: {error}; correct `template` or `environment` in the heat section",
            file.display()
        ))
    })
}

/// Reads a file beside the loop: it may be on a slow disk.
async fn contents(file: PathBuf) -> std::io::Result<String> {
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file));
    read.await.map_err(std::io::Error::other)?
}

/// The files that a text names and that exist beside it, and those that they name. What a text names
/// and is not there Heat misses, and says so.
async fn add_files(folder: &Path, text: &str, files: &mut BTreeMap<String, String>) {
    let mut named = names(text);
    while let Some(name) = named.pop() {
        if files.contains_key(&name) {
            continue;
        }
        if let Ok(text) = contents(folder.join(&name)).await {
            named.extend(names(&text));
            files.insert(name, text);
        }
    }
}

/// Words that may name a file: templates, and whatever follows `get_file`. Comments name none.
fn names(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut names = Vec::new();
    let mut follows = false;
    for word in
        code.flat_map(|line| line.split(|c: char| c.is_whitespace() || "'\"{}[],".contains(c)))
    {
        let is_template = word.ends_with(".yaml") || word.ends_with(".yml");
        if (is_template || follows) && !word.is_empty() && !word.contains("://") {
            names.push(word.to_owned());
        }
        if !word.is_empty() {
            follows = word == "get_file:";
        }
    }
    names
}

/// The configured parameters, and of ours those that the template has: Heat refuses others.
fn parameters(
    config: &HeatConfig,
    template: &str,
    instance: &str,
    order: &Order,
    unit: Option<&UnitOf>,
) -> Result<BTreeMap<String, Value>, ActuatorError> {
    let single = BTreeMap::from([(order.pool.clone(), 1)]);
    let ours = [
        ("instance", json!(instance)),
        ("pool", json!(order.pool)),
        ("name", json!(order.unit.as_ref().unwrap_or(&order.name))),
        ("machines", json!(unit.unwrap_or(&single))),
    ];
    let ours = ours
        .into_iter()
        .filter(|(name, _)| declares(template, name));
    let mut parameters: BTreeMap<String, Value> =
        ours.map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in &config.parameters {
        let value = serde_json::to_value(value)
            .map_err(|error| failed(format!("`parameters.{name}` in the heat section: {error}")))?;
        parameters.insert(name.clone(), value);
    }
    Ok(parameters)
}

/// Whether a template has a parameter: a key right below its `parameters`.
fn declares(template: &str, name: &str) -> bool {
    let mut lines = template
        .lines()
        .skip_while(|line| line.trim_end() != "parameters:");
    lines.next();
    let section = lines.take_while(|line| line.trim().is_empty() || line.starts_with([' ', '#']));
    let mut depth = None;
    for line in section {
        let key = line.trim_start();
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        let indent = line.len() - key.len();
        if *depth.get_or_insert(indent) == indent
            && key
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':'))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "heat_template_version: 2018-08-31\n\
        # See other.yaml.\n\
        parameters:\n  # first\n  machines:\n    type: json\n    default: {ccp: 1}\n\n  image: {type: string}\n\
        resources:\n  name:\n    type: unit-machine.yaml\n    user_data: {get_file: scripts/install}\n";

    #[test]
    fn files_are_found_by_their_names_and_comments_name_none() {
        assert_eq!(names(TEMPLATE), ["unit-machine.yaml", "scripts/install"]);
    }

    #[test]
    fn only_parameters_of_the_template_are_given() {
        assert!(declares(TEMPLATE, "machines") && declares(TEMPLATE, "image"));
        assert!(!declares(TEMPLATE, "type") && !declares(TEMPLATE, "name"));
    }
}
