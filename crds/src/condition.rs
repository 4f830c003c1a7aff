//! What `status.conditions` may say: the types of condition and the one list of reasons.

use serde::{Deserialize, Serialize};

/// A type of condition that every kind reports.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The resource is well formed and what it refers to exists.
    Accepted,
    /// The Snapshot that replicas read contains it.
    Published,
    /// Every replica serves a Snapshot that contains it (Authd, ApiKey, AccessPolicy).
    Enforced,
    /// The servers of the provider answer replicas as the resource says (AuthProvider, unless authd keeps the accounts).
    Reachable,
    /// The summary: accepted, published, and nothing stands in its way. A provider that is away does not change it.
    Ready,
}

impl ConditionType {
    /// As `status.conditions[].type` carries it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Published => "Published",
            Self::Enforced => "Enforced",
            Self::Reachable => "Reachable",
            Self::Ready => "Ready",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// Why a condition is as it is.
        #[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name),+ }

        impl Reason {
            /// Every reason with its explanation, in the order of the documentation.
            pub const ALL: &'static [(Reason, &'static str)] = &[$((Reason::$name, concat!($($doc),+))),+];

            /// The CamelCase name, as conditions carry it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name)),+ }
            }

            /// The reason of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                let mut all = Self::ALL.iter().map(|(reason, _)| *reason);
                all.find(|reason| reason.name() == name)
            }
        }
    };
}

reasons! {
    /// The resource is accepted as it stands.
    Accepted,
    /// The text cannot be read as a Kubernetes object.
    Unreadable,
    /// A field is missing, unknown, of the wrong type or out of its bounds.
    InvalidField,
    /// Two objects of one kind have the same namespace and name.
    Duplicate,
    /// A Secret that is referred to does not exist.
    SecretMissing,
    /// A Secret exists but lacks the key, or its value cannot be used.
    SecretUnusable,
    /// A ConfigMap that is referred to does not exist.
    ConfigMapMissing,
    /// A ConfigMap exists but lacks the key, or its value cannot be used.
    ConfigMapUnusable,
    /// An AuthProvider that is referred to does not exist.
    ProviderMissing,
    /// A duration cannot be read or is out of its bounds.
    InvalidDuration,
    /// A URL, host name, path or address cannot be used.
    InvalidValue,
    /// The Cedar text does not parse or does not fit the schema.
    InvalidCedar,
    /// An older AccessPolicy already claims the host.
    HostConflict,
    /// The namespace is not granted the host by `Authd.spec.tenants`.
    HostNotGranted,
    /// The namespace may not hand out the role.
    RoleNotGranted,
    /// No Authd was found for the resource.
    NoInstance,
    /// More than one Authd was found and none was chosen.
    ManyInstances,
    /// An older AuthProvider already has the tokens of the issuer.
    IssuerConflict,
    /// Two ApiKeys have the same key.
    KeyConflict,
    /// The key or secret is too weak.
    WeakSecret,
    /// A Secret of that name is there, and was not made for this ApiKey.
    SecretForeign,
    /// It is more than fits into the Snapshot.
    TooLarge,
    /// The Snapshot that replicas read contains it.
    Published,
    /// The Snapshot that replicas read does not contain it, or not this generation of it.
    NotPublished,
    /// The instance cannot be published, so that what was published before stays.
    InstanceNotReady,
    /// Resources vanished together with the definition of their kind: what was published before stays.
    Held,
    /// The namespace is not one of those in which the operator may read and make Secrets.
    NotOptedIn,
    /// Something that the Authd needs in the cluster could not be made.
    NotDeployed,
    /// Every replica enforces it.
    Enforced,
    /// Not every replica enforces it yet.
    Waiting,
    /// No replica runs.
    NoReplicas,
    /// Replicas reach the provider, and it is who it should be.
    Reachable,
    /// No replica has said yet whether it reaches the provider.
    NotAsked,
    /// A server of the provider cannot be connected to, or the connection broke.
    ServerUnreachable,
    /// The certificate of a server is not of its name, is over, or is signed by nobody who counts.
    CertificateInvalid,
    /// A server does no TLS, or none that is good enough.
    TlsRefused,
    /// The certificates or the key that the AuthProvider names cannot be used.
    TlsUnusable,
    /// The address of a server may not be connected to: it is none of the public Internet, and not allowed.
    AddressForbidden,
    /// A server takes too long to answer.
    TimedOut,
    /// The token endpoint of the provider has an error of its own, or asks to come later.
    ServerError,
    /// A server answers something that is not of its protocol, or more of it than is read.
    Nonsense,
    /// An OpenID provider does not say of itself what OpenID asks for.
    BadMetadata,
    /// The metadata of an OpenID provider is that of another issuer.
    IssuerMismatch,
    /// The keys of an issuer are not given, or cannot be read.
    BadKeys,
    /// The provider does not know authd as a client, or its secret is another.
    InvalidClient,
    /// The directory refuses the application's name or password.
    ApplicationBindRefused,
    /// The search base does not exist, or the application may not see it.
    SearchBaseMissing,
    /// The directory refuses to search.
    SearchRefused,
    /// Nothing stands in its way.
    Ready,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
