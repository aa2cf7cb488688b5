//! Where a request goes: a path below a service's endpoint, or a link of that service.
//!
//! It must never let a request, and its token, go to another origin than the endpoint's.

use reqwest::Url;

use super::{CloudError, Request};

/// The URL for the path of a request.
pub(super) fn target(endpoint: &Url, request: &Request) -> Result<Url, CloudError> {
    let path = request.path.as_str();
    let refused = |reason: String| CloudError::Garbage {
        service: request.service,
        what: request.what(),
        reason,
        request_id: None,
    };
    let no_url = |error| refused(format!("no URL: {error}"));
    let url = match path.starts_with('/') && !path.starts_with("//") {
        true => Url::parse(&below(endpoint, path)).map_err(no_url)?,
        false => Url::parse(path).map_err(no_url)?,
    };
    within(endpoint, url).map_err(refused)
}

/// The URL that a redirect leads to.
pub(super) fn redirected(from: &Url, request: &Request, to: &str) -> Result<Url, CloudError> {
    let url = from.join(to).map_err(|error| format!("no URL: {error}"));
    url.and_then(|url| within(from, url))
        .map_err(|reason| CloudError::Garbage {
            service: request.service,
            what: format!("{} with a redirect to {to}", request.what()),
            reason,
            request_id: None,
        })
}

fn within(endpoint: &Url, url: Url) -> Result<Url, String> {
    if url.origin() == endpoint.origin() {
        return Ok(url);
    }
    let origin = endpoint.origin().ascii_serialization();
    Err(format!("the link leaves {origin}, and the token must not"))
}

/// Some catalogs name the version (`http://host:8041/v1`), others do not; our paths do.
fn below(endpoint: &Url, path: &str) -> String {
    let base = endpoint.as_str().trim_end_matches('/');
    let version = path.split('/').nth(1).unwrap_or_default();
    let is_version = matches!(version, "v1" | "v2");
    let base = match base.strip_suffix(version) {
        Some(shorter) if is_version && shorter.ends_with('/') => shorter.trim_end_matches('/'),
        _ => base,
    };
    format!("{base}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{Method, Service};

    fn of(endpoint: &str, path: &str) -> Result<String, CloudError> {
        let request = Request::new(Service::Metric, Method::Get, path);
        target(&Url::parse(endpoint).unwrap(), &request).map(String::from)
    }

    #[test]
    fn a_path_is_below_the_endpoint_with_one_version() {
        let heat = "http://127.0.0.1:8004/v1/0123";
        assert_eq!(of(heat, "/stacks/x").unwrap(), format!("{heat}/stacks/x"));
        let bare = "https://metric.example/gnocchi";
        assert_eq!(of(bare, "/v1/metric").unwrap(), format!("{bare}/v1/metric"));
        let versioned = format!("{bare}/v1/");
        assert_eq!(
            of(&versioned, "/v1/metric").unwrap(),
            format!("{bare}/v1/metric")
        );
    }

    #[test]
    fn a_token_never_leaves_the_service() {
        let heat = "https://heat.example:8004/v1/0123";
        assert!(of(heat, &format!("{heat}/stacks/x/1")).is_ok());
        for elsewhere in [
            "https://evil.example:8004/v1/0123/stacks/x",
            "http://heat.example:8004/v1/0123/stacks/x",
            "https://heat.example/v1/0123/stacks/x",
            "https://heat.example:8004@evil.example/v1",
            "//evil.example/v1",
            "stacks/x",
        ] {
            let error = of(heat, elsewhere).unwrap_err();
            assert!(
                matches!(error, CloudError::Garbage { .. }),
                "{elsewhere}: {error}"
            );
        }
    }
}
