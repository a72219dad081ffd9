//! The kinds of routes that requests are measured by: a path is the caller's text, and no label.

/// Which of the two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Public,
    Internal,
}

impl Listener {
    pub(super) const ALL: [Self; 2] = [Self::Public, Self::Internal];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
        }
    }
}

/// The kinds of routes that are told apart; what nobody serves is `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Verify,
    ForwardAuth,
    Mqtt,
    Changes,
    Management,
    OAuth,
    Console,
    Documentation,
    Health,
    Metrics,
    Other,
}

impl Route {
    pub(super) const ALL: [Self; 11] = [
        Self::Verify,
        Self::ForwardAuth,
        Self::Mqtt,
        Self::Changes,
        Self::Management,
        Self::OAuth,
        Self::Console,
        Self::Documentation,
        Self::Health,
        Self::Metrics,
        Self::Other,
    ];

    pub(crate) fn of(listener: Listener, path: &str) -> Self {
        match (listener, path) {
            (_, "/v1/verify") => Self::Verify,
            (_, "/health/live" | "/health/ready") => Self::Health,
            (Listener::Internal, "/v1/forward-auth" | "/envoy.service.auth.v3.Authorization/Check") => {
                Self::ForwardAuth
            }
            (Listener::Internal, path) if path.starts_with("/v1/mqtt/") => Self::Mqtt,
            (Listener::Internal, "/v1/changes") => Self::Changes,
            (Listener::Internal, "/metrics") => Self::Metrics,
            (Listener::Public, "/openapi.json") => Self::Documentation,
            (Listener::Public, path) if path.starts_with("/docs") => Self::Documentation,
            (Listener::Public, path) if path.starts_with("/v1/") => Self::Management,
            (Listener::Public, path) if path.starts_with("/.well-known/") || path.starts_with("/oauth/") => Self::OAuth,
            (Listener::Public, path) if is_page(path) => Self::Console,
            (Listener::Public | Listener::Internal, _) => Self::Other,
        }
    }

    pub(super) fn is_served(self, listener: Listener) -> bool {
        match self {
            Self::Verify | Self::Health | Self::Other => true,
            Self::ForwardAuth | Self::Mqtt | Self::Changes | Self::Metrics => listener == Listener::Internal,
            Self::Management | Self::OAuth | Self::Console | Self::Documentation => listener == Listener::Public,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ForwardAuth => "forward_auth",
            Self::Mqtt => "mqtt",
            Self::Changes => "changes",
            Self::Management => "management",
            Self::OAuth => "oauth",
            Self::Console => "console",
            Self::Documentation => "documentation",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }
}

/// The first segments of the console's paths.
fn is_page(path: &str) -> bool {
    const FIRST: &[&str] = &[
        "",
        "account",
        "apis",
        "approvals",
        "assets",
        "audit",
        "device",
        "first-run",
        "invitation",
        "language",
        "organizations",
        "password-reset",
        "portal",
        "settings",
        "sign-in",
        "sign-out",
    ];
    path.strip_prefix('/').and_then(|path| path.split('/').next()).is_some_and(|first| FIRST.contains(&first))
}
