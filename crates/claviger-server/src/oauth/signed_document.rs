//! A signed document that anybody may fetch: compressed once, and told as often as somebody asks.

use std::io::Write as _;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, IntoResponseParts, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use crate::accepted::accepts;

/// A compact JWS, as it is and compressed.
pub(super) struct SignedDocument {
    plain: Bytes,
    gzip: Bytes,
}

impl SignedDocument {
    /// Beside the requests: of a long one it takes a while.
    pub(super) async fn new(jws: String) -> Self {
        let plain = Bytes::from(jws);
        let compress = {
            let plain = plain.clone();
            move || {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&plain).and_then(|()| encoder.finish())
            }
        };
        // What cannot be compressed is told as it is.
        let gzip = tokio::task::spawn_blocking(compress).await.ok().and_then(Result::ok).unwrap_or_default();
        Self { plain, gzip: gzip.into() }
    }

    /// As whoever asks can read it.
    pub(super) fn response(
        &self,
        asked: &HeaderMap,
        media_type: &'static str,
        told: impl IntoResponseParts,
    ) -> Response {
        let mut response = if takes_gzip(asked) && !self.gzip.is_empty() {
            ([(header::CONTENT_ENCODING, "gzip")], self.gzip.clone()).into_response()
        } else {
            self.plain.clone().into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        (told, response).into_response()
    }
}

/// RFC 9110, section 12.5.3.
fn takes_gzip(asked: &HeaderMap) -> bool {
    accepts(asked, &header::ACCEPT_ENCODING, &["gzip", "x-gzip"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s01_gzip_is_for_those_who_name_it() {
        let check = |lines: &[&'static str], expected: bool| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(takes_gzip(&headers), expected, "{lines:?}");
        };
        check(&[], false);
        check(&["identity"], false);
        check(&["br, GZIP"], true);
        check(&["br", "deflate , x-gzip;q=0.5"], true);
        check(&["gzip;q=0"], false);
        check(&["gzip; Q=0.000, br"], false);
        check(&["gzipped"], false);
    }
}
