//! How the path of a rule is written, and the object that it names.
//!
//! A parameter is a whole segment in both, so that no two paths of one rule are about one object unless they differ only where the object
//! names nothing.

use claviger_token::{Object, ObjectError};

const LONGEST: usize = 512;
pub(super) const MOST_SEGMENTS: usize = 32;

/// Why a text is no path of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    #[error("a path begins with `/`, such as /apps/{{id}}")]
    NotAbsolute,
    #[error("a path has at most {LONGEST} characters and {MOST_SEGMENTS} segments")]
    TooLong,
    #[error("only the last segment of a path may be empty")]
    EmptySegment,
    #[error("no request with a segment `.` or `..` is looked up")]
    DotSegment,
    #[error("a parameter is a whole segment: {{name}}, of 1 to 64 of A-Z, a-z, 0-9, `_`, `-` and `.`")]
    Parameter,
    #[error("{{*name}} stands for all that follows, so that nothing follows it")]
    RestInTheMiddle,
    #[error("a path names a parameter once")]
    Twice,
    #[error("a segment has no `*`; all that follows is written {{*name}}")]
    Star,
    #[error("a segment has A-Z, a-z, 0-9 and -._~!$&'()+,=:@ as the request has them when they are decoded")]
    Character,
}

/// Why a text is no object of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("{0}")]
    Object(#[from] ObjectError),
    #[error("a parameter is a whole segment of the object, such as app:{{id}} or repo:{{owner}}/{{name}}")]
    NotWhole,
    #[error("the object names a parameter that the path does not have")]
    Unknown,
    #[error("all that follows, {{*name}}, is the last of the object too")]
    RestInTheMiddle,
}

#[derive(Debug)]
enum Segment {
    Text(Box<str>),
    Parameter(Box<str>),
    Rest(Box<str>),
}

/// A path in lower case with numbered parameters, as the router takes it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Whole(String),
    /// With the slash at its end.
    Before(String),
}

/// How little a path says: of two that fit a request, the smaller one says more of it. A slash at the end counts for nothing.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generality {
    /// Nothing of a whole path, and the more, the less stands before all that follows.
    open: usize,
    /// Of each segment, whether it is a parameter.
    parameters: Vec<bool>,
}

/// The path of a rule. `/` at its end is an empty last segment.
#[derive(Debug)]
pub(super) struct PathPattern(Box<[Segment]>);

impl PathPattern {
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        let inside = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        let parts: Vec<&str> = inside.split('/').collect();
        if text.len() > LONGEST || parts.len() > MOST_SEGMENTS {
            return Err(PathError::TooLong);
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let is_last = index + 1 == parts.len();
            let segment = segment(part, is_last)?;
            let name = segment.name();
            if name.is_some() && segments.iter().any(|other| other.name() == name) {
                return Err(PathError::Twice);
            }
            segments.push(segment);
        }
        Ok(Self(segments.into()))
    }

    /// What two rules have alike that no request tells apart but by its method: a whole path, or what stands before all that follows.
    pub(super) fn shape(&self) -> Shape {
        let part = |(index, segment): (usize, &Segment)| match segment {
            Segment::Text(text) => Some(format!("/{}", text.to_ascii_lowercase())),
            Segment::Parameter(_) => Some(format!("/{{p{index}}}")),
            Segment::Rest(_) => None,
        };
        let parts: Vec<Option<String>> = self.0.iter().enumerate().map(part).collect();
        let has_rest = parts.contains(&None);
        let text: String = parts.into_iter().flatten().collect();
        if has_rest { Shape::Before(text + "/") } else { Shape::Whole(text) }
    }

    pub(super) fn generality(&self) -> Generality {
        let mut generality = Generality { open: 0, parameters: Vec::with_capacity(self.0.len()) };
        for (index, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Text(text) if text.is_empty() => {}
                Segment::Text(_) => generality.parameters.push(false),
                Segment::Parameter(_) => generality.parameters.push(true),
                Segment::Rest(_) => generality.open = MOST_SEGMENTS - index,
            }
        }
        generality
    }

    /// What stands in each segment of a path; `None` if the path is another.
    pub(super) fn values<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let values: Vec<&str> = path.strip_prefix('/')?.splitn(self.0.len(), '/').collect();
        let fits = |(segment, value): (&Segment, &&str)| match segment {
            Segment::Text(text) => **text == **value,
            Segment::Parameter(_) => !value.is_empty() && !value.contains('/'),
            Segment::Rest(_) => !value.is_empty(),
        };
        (values.len() == self.0.len() && self.0.iter().zip(&values).all(fits)).then_some(values)
    }

    fn place(&self, name: &str) -> Option<(usize, &Segment)> {
        self.0.iter().enumerate().find(|(_, segment)| segment.name() == Some(name))
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Parameter(name) | Self::Rest(name) => Some(name),
        }
    }
}

fn segment(part: &str, is_last: bool) -> Result<Segment, PathError> {
    if let Some(inside) = part.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')) {
        let is_rest = inside.starts_with('*');
        let name = inside.strip_prefix('*').unwrap_or(inside);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(PathError::Parameter);
        }
        return match (is_rest, is_last) {
            (false, _) => Ok(Segment::Parameter(name.into())),
            (true, true) => Ok(Segment::Rest(name.into())),
            (true, false) => Err(PathError::RestInTheMiddle),
        };
    }
    match part {
        "" if !is_last => Err(PathError::EmptySegment),
        "." | ".." => Err(PathError::DotSegment),
        _ if part.contains(['{', '}']) => Err(PathError::Parameter),
        _ if part.contains('*') => Err(PathError::Star),
        _ if part.bytes().all(is_plain) => Ok(Segment::Text(part.into())),
        _ => Err(PathError::Character),
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte)
}

/// An object with parameters of a path in it.
#[derive(Debug)]
pub(super) struct ObjectTemplate {
    kind: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    /// What stands in this segment of the path.
    Segment(usize),
}

impl ObjectTemplate {
    pub(super) fn parse(text: &str, path: &PathPattern) -> Result<Self, TemplateError> {
        let (kind, id) = text.split_once(':').ok_or(ObjectError::NoType)?;
        let texts: Vec<&str> = id.split('/').collect();
        let mut parts = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let named = text.strip_prefix('{').and_then(|inside| inside.strip_suffix('}'));
            let part = match named {
                Some(name) => match path.place(name).ok_or(TemplateError::Unknown)? {
                    (_, Segment::Rest(_)) if index + 1 < texts.len() => return Err(TemplateError::RestInTheMiddle),
                    (place, _) => Part::Segment(place),
                },
                None if text.contains(['{', '}']) => return Err(TemplateError::NotWhole),
                None => Part::Text((*text).into()),
            };
            parts.push(part);
        }
        let template = Self { kind: kind.into(), parts: parts.into() };
        template.object(&vec!["x"; path.0.len()])?;
        Ok(template)
    }

    /// The object of a path in whose segments these stand.
    pub(super) fn object(&self, values: &[&str]) -> Result<Object, ObjectError> {
        let part = |part: &Part| match part {
            Part::Text(text) => text.to_string(),
            Part::Segment(place) => values.get(*place).copied().unwrap_or_default().to_owned(),
        };
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        format!("{}:{}", self.kind, parts.join("/")).parse()
    }
}
