//! What is told of a use of a credential beside what was asked and decided: for metrics and the access log. Nothing here
//! may change a verdict.

/// Where a use was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Verify,
    ForwardAuth,
    Management,
    OAuth,
}

/// The request that a credential was used for, as far as whoever asks tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// Where that was asked.
    pub(crate) surface: Surface,
    /// Its method.
    pub(crate) method: Option<&'a str>,
    /// Its path, perhaps with a query string, which is nobody's to keep.
    pub(crate) path: Option<&'a str>,
    /// Its id.
    pub(crate) request_id: Option<&'a str>,
}

impl Surface {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Verify, Self::ForwardAuth, Self::Management, Self::OAuth];

    /// The word in metrics and in the access log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ForwardAuth => "forward_auth",
            Self::Management => "management",
            Self::OAuth => "oauth",
        }
    }
}
