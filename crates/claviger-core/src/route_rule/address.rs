//! The path of a request, as an API reads it when it has decoded it. What two readers could take for two paths is refused.

use std::borrow::Cow;

const LONGEST: usize = 4096;

/// Why the path of a request is not looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a path: a whole address, `*`, or nothing.
    #[error("the address of the request does not begin with a slash")]
    NotAPath,
    /// More than 4096 bytes.
    #[error("the path of the request has more than {LONGEST} bytes")]
    TooLong,
    /// What belongs in no path, or what some readers take for its end, or for an end of a segment.
    #[error("the path of the request has a character that stands in no path, or a semicolon")]
    Character,
    /// No two hexadecimal digits after `%`.
    #[error("the path of the request has a percent sign without two hexadecimal digits")]
    Encoding,
    /// A character that needs no encoding, or one that must not be encoded: a slash, a backslash, `%`, `;`, `?`, `#`, a control.
    #[error("the path of the request has an encoded character that two readers could take for two")]
    Encoded,
    /// No text when it is decoded.
    #[error("the path of the request is no UTF-8 when it is decoded")]
    NotText,
    /// Two slashes in a row.
    #[error("the path of the request has an empty segment")]
    EmptySegment,
    /// `.` or `..`.
    #[error("the path of the request has a segment that is . or ..")]
    DotSegment,
}

/// The path of a request, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a>(Cow<'a, str>);

impl<'a> Address<'a> {
    /// Reads the path of what a request line has: a path, perhaps with a query, which is passed over.
    pub fn read(target: &'a str) -> Result<Self, AddressError> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if !path.starts_with('/') {
            return Err(AddressError::NotAPath);
        }
        if path.len() > LONGEST {
            return Err(AddressError::TooLong);
        }
        if !path.bytes().all(may_stand) {
            return Err(AddressError::Character);
        }
        let decoded = if path.contains('%') { Cow::Owned(decoded(path)?) } else { Cow::Borrowed(path) };
        let mut segments = decoded.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "" if segments.peek().is_some() => return Err(AddressError::EmptySegment),
                "." | ".." => return Err(AddressError::DotSegment),
                _ => {}
            }
        }
        drop(segments);
        Ok(Self(decoded))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 3986, section 3.3, without `;`: some readers take what follows it for no part of the segment.
fn may_stand(byte: u8) -> bool {
    is_unreserved(byte) || b"/%!$&'()*+,=:@".contains(&byte)
}

/// RFC 3986, section 2.3: these mean the same encoded and not, so that nobody who means well encodes them.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn decoded(path: &str) -> Result<String, AddressError> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(AddressError::Encoding);
    let mut bytes = path.bytes();
    let mut read = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            read.push(byte);
            continue;
        }
        let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
        let byte = u8::try_from(value).map_err(|_| AddressError::Encoding)?;
        if is_unreserved(byte) || byte.is_ascii_control() || b"/\\%;?#".contains(&byte) {
            return Err(AddressError::Encoded);
        }
        read.push(byte);
    }
    let text = String::from_utf8(read).map_err(|_| AddressError::NotText)?;
    if text.contains(char::is_control) { Err(AddressError::Encoded) } else { Ok(text) }
}
