//! What a broker's client is refused for before anything is asked of its credential, so that no verdict tells of it.
//!
//! The room must not know a broker, nor a credential.

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is called otherwise than its credential.
    UserNameMismatch,
    /// It shows a key where brokers log it.
    CredentialInUserName,
    /// It shows two.
    SeveralCredentials,
    /// The topic is nobody's.
    TopicNotAllowed,
}

impl Refused {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::UserNameMismatch, Self::CredentialInUserName, Self::SeveralCredentials, Self::TopicNotAllowed];

    /// The code that a broker is told, and the word in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UserNameMismatch => "user_name_mismatch",
            Self::CredentialInUserName => "credential_in_user_name",
            Self::SeveralCredentials => "several_credentials",
            Self::TopicNotAllowed => "topic_not_allowed",
        }
    }
}
