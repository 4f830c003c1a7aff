//! What an application says that it was asked, where it is one that reports that (`--echo`).
//!
//! There are many such applications: this reads JSON with a path and headers under the usual names, and a request written out as
//! text.

use serde_json::Value;

/// What the application was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// The path that it saw, with the query.
    pub path: Option<String>,
    /// The headers that it saw, with their names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Reads a body.
#[must_use]
pub fn read(body: &str) -> Echo {
    match serde_json::from_str(body) {
        Ok(document) => json(&document),
        Err(_) => text(body),
    }
}

fn json(document: &Value) -> Echo {
    let mut echo = Echo::default();
    let Value::Object(members) = document else {
        return echo;
    };
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("path" | "url" | "uri" | "originalurl" | "requesturi", Value::String(path)) => {
                echo.path.get_or_insert_with(|| without_origin(path).to_owned());
            }
            ("headers", Value::Array(pairs)) => {
                let pair = |pair: &Value| {
                    Some((
                        pair.get(0)?.as_str()?.to_ascii_lowercase(),
                        pair.get(1)?.as_str()?.to_owned(),
                    ))
                };
                echo.headers.extend(pairs.iter().filter_map(pair));
            }
            ("headers", Value::Object(named)) => {
                for (name, values) in named {
                    let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
                    let values = values.iter().filter_map(Value::as_str);
                    echo.headers
                        .extend(values.map(|value| (name.to_ascii_lowercase(), value.to_owned())));
                }
            }
            // Some put all of it under `request`.
            ("request" | "http", inner @ Value::Object(_)) => {
                let inner = json(inner);
                echo.path = echo.path.or(inner.path);
                echo.headers.extend(inner.headers);
            }
            _ => {}
        }
    }
    echo
}

fn text(body: &str) -> Echo {
    let request = |line: &str| {
        let mut words = line.split(' ');
        let (path, version) = (words.nth(1)?, words.next()?);
        version.starts_with("HTTP/").then(|| without_origin(path).to_owned())
    };
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    Echo {
        path: body.lines().find_map(request),
        headers: body.lines().filter_map(header).collect(),
    }
}

fn without_origin(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://").filter(|_| !url.starts_with('/')) else {
        return url;
    };
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_echoing_applications_answer_is_read() {
        let expected = Echo {
            path: Some("/a?b=http://c/d".to_owned()),
            headers: vec![("x-auth-user".to_owned(), "ann".to_owned())],
        };
        for body in [
            r#"{"method": "GET", "path": "/a?b=http://c/d", "headers": [["X-Auth-User", "ann"]]}"#,
            r#"{"headers": {"X-Auth-User": "ann"}, "url": "http://app.test/a?b=http://c/d"}"#,
            r#"{"headers": {"X-Auth-User": ["ann"]}, "url": "/a?b=http://c/d"}"#,
            r#"{"request": {"headers": {"x-auth-user": "ann"}, "originalUrl": "/a?b=http://c/d"}}"#,
            "Hostname: 7f\nGET /a?b=http://c/d HTTP/1.1\nX-Auth-User: ann\n",
        ] {
            let mut read = read(body);
            read.headers.retain(|(name, _)| name != "hostname");
            assert_eq!(read, expected, "{body}");
        }
        for body in ["", "<html>", "[]", "7", r#"{"headers": 7, "path": 8}"#] {
            assert_eq!(read(body), Echo::default(), "{body}");
        }
    }
}
