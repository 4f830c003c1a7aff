//! Why did a directory not vouch for somebody? Each reason has one name in audit lines, metrics and logs; the person is told of none.

/// Why a directory did not vouch for somebody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection, or one that broke.
    #[error("`{server}` cannot be reached: {what}")]
    ServerUnreachable {
        /// Its address.
        server: String,
        /// What happened.
        what: String,
    },
    /// The server's certificate is not the right one.
    #[error("the certificate of `{server}` is not accepted: {what}")]
    CertificateInvalid {
        /// Its address.
        server: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no TLS, or none that is good enough.
    #[error("no TLS with `{server}`: {what}")]
    TlsRefused {
        /// Its address.
        server: String,
        /// What happened.
        what: String,
    },
    /// The certificates that are configured cannot be used.
    #[error("{0}")]
    TlsUnusable(String),
    /// It took too long.
    #[error("the directory did not answer in time")]
    TimedOut,
    /// What came back is no LDAP.
    #[error("`{server}` answers something that is no LDAP, or more of it than is read")]
    Nonsense {
        /// Its address.
        server: String,
    },
    /// Too many people are signing in.
    #[error("too many sign-ins are waiting for the directory")]
    Busy,
    /// The application's name or password is wrong.
    #[error("the directory refuses the application's own name or password (`spec.ldap.bind`): {0}")]
    ApplicationBindRefused(String),
    /// The base does not exist, or may not be seen.
    #[error("the search base `{0}` does not exist, or the application may not see it")]
    SearchBaseMissing(String),
    /// The directory does not search.
    #[error("the directory refuses to search: {0}")]
    SearchRefused(String),
    /// The password is empty, which many directories take for nobody's.
    #[error("the password is empty")]
    EmptyPassword,
    /// Nobody has such a name or password.
    #[error("the user name or the password is too long, or has a NUL")]
    Unusable,
    /// Nobody is found.
    #[error("the filter finds nobody of that name")]
    UnknownUser,
    /// Several are found.
    #[error("the filter finds more than one entry for that name: make it narrower")]
    AmbiguousUser,
    /// Wrong password.
    #[error("the directory refuses the person's password: {0}")]
    UserBindRefused(String),
    /// The directory said yes without saying to whom.
    #[error("the directory accepted the password and does not say whose it is")]
    IdentityUnproven,
    /// Switched off.
    #[error("the account is disabled in the directory")]
    AccountDisabled,
    /// Locked, usually after wrong passwords.
    #[error("the account is locked in the directory")]
    AccountLocked,
    /// Its time is over.
    #[error("the account has expired in the directory")]
    AccountExpired,
    /// The password's time is over.
    #[error("the password has expired in the directory")]
    PasswordExpired,
    /// A new password must be chosen first.
    #[error("the directory wants a new password first")]
    PasswordMustChange,
    /// The entry cannot be used.
    #[error("the entry `{dn}` cannot be used: {what}")]
    EntryUnusable {
        /// Its name.
        dn: String,
        /// What is wrong with it.
        what: String,
    },
    /// More groups than are looked at.
    #[error("`{dn}` is in more than {most} groups")]
    TooManyGroups {
        /// The person's name.
        dn: String,
        /// How many are looked at.
        most: usize,
    },
    /// Only the person could look the entry up.
    #[error("nobody can be looked up without their password where `spec.ldap.bind` is `person`")]
    NotLookedUp,
}

impl Failure {
    /// As audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ServerUnreachable { .. } => "ServerUnreachable",
            Self::CertificateInvalid { .. } => "CertificateInvalid",
            Self::TlsRefused { .. } => "TlsRefused",
            Self::TlsUnusable(_) => "TlsUnusable",
            Self::TimedOut => "TimedOut",
            Self::Nonsense { .. } => "Nonsense",
            Self::Busy => "Busy",
            Self::ApplicationBindRefused(_) => "ApplicationBindRefused",
            Self::SearchBaseMissing(_) => "SearchBaseMissing",
            Self::SearchRefused(_) => "SearchRefused",
            Self::EmptyPassword => "EmptyPassword",
            Self::Unusable => "Unusable",
            Self::UnknownUser => "UnknownUser",
            Self::AmbiguousUser => "AmbiguousUser",
            Self::UserBindRefused(_) => "UserBindRefused",
            Self::IdentityUnproven => "IdentityUnproven",
            Self::AccountDisabled => "AccountDisabled",
            Self::AccountLocked => "AccountLocked",
            Self::AccountExpired => "AccountExpired",
            Self::PasswordExpired => "PasswordExpired",
            Self::PasswordMustChange => "PasswordMustChange",
            Self::EntryUnusable { .. } => "EntryUnusable",
            Self::TooManyGroups { .. } => "TooManyGroups",
            Self::NotLookedUp => "NotLookedUp",
        }
    }

    /// What is wrong, without what the server adds in its own words.
    #[must_use]
    pub fn in_our_words(&self) -> String {
        let mut ours = self.clone();
        if let Self::ApplicationBindRefused(said) | Self::SearchRefused(said) = &mut ours {
            said.truncate(said.find(": ").unwrap_or(said.len()));
        }
        ours.to_string()
    }

    /// Whether another server may do better.
    pub(super) fn is_of_the_server(&self) -> bool {
        matches!(
            self,
            Self::ServerUnreachable { .. }
                | Self::CertificateInvalid { .. }
                | Self::TlsRefused { .. }
                | Self::TimedOut
                | Self::Nonsense { .. }
        )
    }

    /// Whether it says something of the person: they are not there any more, or may not be. Anything else may pass.
    #[must_use]
    pub fn is_of_the_person(&self) -> bool {
        matches!(
            self,
            Self::UnknownUser
                | Self::AmbiguousUser
                | Self::AccountDisabled
                | Self::AccountExpired
                | Self::EntryUnusable { .. }
        )
    }

    /// Whether it says nothing of the person, but that the directory cannot be asked as it is.
    #[must_use]
    pub fn is_of_the_directory(&self) -> bool {
        self.is_of_the_server()
            || matches!(
                self,
                Self::TlsUnusable(_)
                    | Self::Busy
                    | Self::ApplicationBindRefused(_)
                    | Self::SearchBaseMissing(_)
                    | Self::SearchRefused(_)
                    | Self::NotLookedUp
            )
    }
}
