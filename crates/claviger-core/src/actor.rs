//! Who made a change and from where: what every audit event says about its author.

use std::net::IpAddr;

use claviger_token::{CredentialId, PrincipalId, SessionId, UserId};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A principal, through one of its credentials.
    Principal {
        /// Who.
        id: PrincipalId,
        /// With what.
        credential: CredentialId,
    },
    /// A user in a browser, through the session that they signed in to.
    Session {
        /// Who.
        user: UserId,
        /// With what.
        session: SessionId,
    },
    /// A user who is not signed in there, with a link or a code that works once.
    Link {
        /// Who.
        user: UserId,
    },
    /// Somebody with the database and the master key in hand, on the command line.
    Operator,
    /// Claviger itself: jobs, and events that come from use.
    System,
}

impl Actor {
    /// The word for it in audit events and filters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Principal { id: PrincipalId::User(_), .. } | Self::Session { .. } | Self::Link { .. } => "user",
            Self::Principal { id: PrincipalId::ServiceAccount(_), .. } => "service_account",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The id of what they act with, if it has one.
    pub fn means(&self) -> Option<String> {
        match self {
            Self::Principal { credential, .. } => Some(credential.to_string()),
            Self::Session { session, .. } => Some(session.to_string()),
            Self::Link { .. } | Self::Operator | Self::System => None,
        }
    }

    /// The credential that they act with.
    pub fn credential(&self) -> Option<CredentialId> {
        match self {
            Self::Principal { credential, .. } => Some(*credential),
            Self::Session { .. } | Self::Link { .. } | Self::Operator | Self::System => None,
        }
    }

    /// The principal's id, or the word for who has none.
    pub fn id(&self) -> String {
        match self {
            Self::Principal { id, .. } => id.to_string(),
            Self::Session { user, .. } | Self::Link { user } => user.to_string(),
            Self::Operator | Self::System => self.kind().to_owned(),
        }
    }
}

/// An actor in one request.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// From where; personal data, kept outside the hashed part of the audit event.
    pub address: Option<IpAddr>,
    /// The request's id, to find it in the log.
    pub request_id: Option<String>,
}

impl By {
    /// The operator, on the command line.
    pub fn operator() -> Self {
        Self { actor: Actor::Operator, address: None, request_id: None }
    }

    /// Claviger itself.
    pub fn system() -> Self {
        Self { actor: Actor::System, address: None, request_id: None }
    }
}
