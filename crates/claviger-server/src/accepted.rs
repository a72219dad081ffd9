//! What whoever asks takes as an answer: a list of names with weights (RFC 9110, section 12.5), in any header that has one.

use axum::http::{HeaderMap, HeaderName};

/// Whether one of these is named in the header, and not with `q=0`.
pub(crate) fn accepts(headers: &HeaderMap, list: &HeaderName, names: &[&str]) -> bool {
    let lines = headers.get_all(list).iter().filter_map(|line| line.to_str().ok());
    let mut entries = lines.flat_map(|line| line.split(',')).map(|entry| entry.split_once(';').unwrap_or((entry, "")));
    entries.any(|(entry, parameters)| {
        names.iter().any(|name| entry.trim().eq_ignore_ascii_case(name)) && !is_refused(parameters)
    })
}

/// `q=0`, however it is written.
fn is_refused(parameters: &str) -> bool {
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let weight = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    weight.is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header::ACCEPT};

    use super::*;

    #[test]
    fn a_name_counts_in_any_line_and_place_unless_it_weighs_nothing() {
        let check = |lines: &[&'static str], expected: bool| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(accepts(&headers, &ACCEPT, &["a/b", "c"]), expected, "{lines:?}");
        };
        check(&[], false);
        check(&["*/*"], false);
        check(&["text/html, A/B;q=0.1"], true);
        check(&["x", " c ;v=1"], true);
        check(&["a/b;q=0, c; v=1; Q=0.000"], false);
        check(&["a/b;q=zero"], true);
        check(&["a/bc"], false);
    }
}
