//! How are servers of others reached? With every request that this program sends to a provider.
//!
//! Only over TLS, only at addresses that may be reached, and connected to exactly the address that was checked; no redirects, no proxy
//! from the environment, and bounds on size and time. What a server answers is never repeated in an error.

#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The URL is not `https` with a host, or carries a user or a fragment.
    #[error("`{0}` is not a URL that is reached: it must be https, without user and fragment")]
    Url(String),
    /// The host has only addresses that may not be reached.
    #[error(
        "`{host}` is at {address}, which is not public: allow its network in `outbound.allowedNetworks` if it is meant"
    )]
    Forbidden {
        /// The host.
        host: String,
        /// One of its addresses.
        address: IpAddr,
    },
    /// The host has no address.
    #[error("`{0}` has no address")]
    NoAddress(String),
    /// No connection, or it broke off.
    #[error("`{0}` cannot be reached")]
    Unreachable(String),
    /// Its certificate is not that of the host, or nobody who counts vouches for it.
    #[error("the certificate of `{0}` cannot be trusted")]
    Certificate(String),
    /// It took too long.
    #[error("`{0}` takes too long to answer")]
    Slow(String),
    /// The answer is larger than anybody needs, or compressed.
    #[error("the answer of `{0}` is too large or encoded")]
    TooLarge(String),
    /// The certificates of authorities cannot be used.
    #[error("the certificates in `caSecretRef` or `caConfigMapRef` cannot be used")]
    Authorities,
}

impl Error {
    /// The reason as conditions, audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Forbidden { .. } => "AddressForbidden",
            Self::NoAddress(_) | Self::Unreachable(_) => "ServerUnreachable",
            Self::Certificate(_) => "CertificateInvalid",
            Self::Slow(_) => "TimedOut",
            Self::TooLarge(_) => "Nonsense",
            Self::Authorities => "TlsUnusable",
        }
    }
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Five seconds: documents.
    Short,
    /// Ten seconds: what a person waits for.
    Long,
}

/// What is asked of a server.
#[derive(Debug)]
pub struct Question<'a> {
    /// Where.
    pub url: &'a Url,
    /// How long it may take.
    pub patience: Patience,
    /// Headers.
    pub headers: HeaderMap,
    /// What is posted, and as what; `None`: a `GET`.
    pub body: Option<(&'static str, String)>,
}

impl<'a> Question<'a> {
    /// A `GET` that wants JSON.
    #[must_use]
    pub fn get(url: &'a Url, patience: Patience) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
        Self {
            url,
            patience,
            headers,
            body: None,
        }
    }

    /// A `POST` of a form that wants JSON.
    #[must_use]
    pub fn form(url: &'a Url, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        Self {
            body: Some(("application/x-www-form-urlencoded", form.finish())),
            ..Self::get(url, Patience::Long)
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Whether it says that it is JSON.
    pub is_json: bool,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON of this shape, from an answer that succeeded and says that it is JSON.
    #[must_use]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        (self.status == StatusCode::OK && self.is_json)
            .then(|| serde_json::from_slice(&self.body).ok())
            .flatten()
    }
}

/// Reaches the servers of one provider.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: reqwest::Client,
    allowed: Arc<[IpNet]>,
}

impl Outbound {
    /// For a provider with these settings.
    ///
    /// # Errors
    /// [`Error::Authorities`].
    pub fn new(settings: &policy::snapshot::Outbound) -> Result<Self, Error> {
        let allowed: Arc<[IpNet]> = settings.allowed_networks.clone().into();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("authd/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .dns_resolver(Arc::new(Checked(Arc::clone(&allowed))));
        if let Some(ca) = &settings.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(policy::secret::expose(ca));
            let certificates = certificates.map_err(|_| Error::Authorities)?;
            if certificates.is_empty() {
                return Err(Error::Authorities);
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|_| Error::Authorities)?;
        Ok(Self { client, allowed })
    }

    /// Asks, and reads the answer to its end.
    ///
    /// # Errors
    /// There is no answer, or none that is read.
    pub async fn ask(&self, question: Question<'_>) -> Result<Answer, Error> {
        let host = reachable(question.url)?;
        if let Some(address) = literal(question.url).filter(|address| !is_allowed(*address, &self.allowed)) {
            return Err(Error::Forbidden { host, address });
        }
        let limit = match question.patience {
            Patience::Short => Duration::from_secs(5),
            Patience::Long => Duration::from_secs(10),
        };
        let exchange = self.exchange(&host, question);
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(Error::Slow(host.clone())))
    }

    async fn exchange(&self, host: &str, question: Question<'_>) -> Result<Answer, Error> {
        let request = match question.body {
            None => self.client.get(question.url.clone()),
            Some((kind, body)) => self
                .client
                .post(question.url.clone())
                .header(header::CONTENT_TYPE, kind)
                .body(body),
        };
        let sent = request.headers(question.headers).send().await;
        let mut response = sent.map_err(|error| explain(host, &error))?;
        if response.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(Error::TooLarge(host.to_owned()));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(host, &error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Error::TooLarge(host.to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(Answer {
            status: response.status(),
            is_json: essence == "application/json" || essence.ends_with("+json"),
            body: body.freeze(),
        })
    }
}

/// Whether plain http is good enough for this host, as it is this machine. Its address is checked all the same.
#[must_use]
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// The host of a URL that is reached at all.
fn reachable(url: &Url) -> Result<String, Error> {
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let secure = url.scheme() == "https" || url.scheme() == "http" && is_this_machine(url);
    match url.host_str() {
        Some(host) if plain && secure => Ok(host.to_owned()),
        // Of the URL only what cannot be a secret is repeated.
        _ => Err(Error::Url(format!(
            "{}://{}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        ))),
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}

/// Resolves names to the addresses that may be reached, which are the ones that are connected to.
#[derive(Debug)]
struct Checked(Arc<[IpNet]>);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
            let reached: Vec<SocketAddr> = found
                .iter()
                .copied()
                .filter(|address| is_allowed(address.ip(), &allowed))
                .collect();
            match (reached.is_empty(), found.first()) {
                (false, _) => Ok(Box::new(reached.into_iter()) as Addrs),
                (true, Some(address)) => {
                    let address = address.ip();
                    Err(Error::Forbidden { host, address }.into())
                }
                (true, None) => Err(Error::NoAddress(host).into()),
            }
        })
    }
}

/// Whether an address is public, or in a network that may be reached.
fn is_allowed(address: IpAddr, allowed: &[IpNet]) -> bool {
    let address = address.to_canonical();
    is_public(address) || allowed.iter().any(|network| network.contains(&address))
}

/// Whether an address is one of the public Internet (the special-purpose registries of RFC 6890 name the others).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            let special = matches!(
                (a, b, c),
                (0 | 10 | 127 | 224.., _, _)
                    | (100, 64..=127, _)
                    | (169, 254, _)
                    | (172, 16..=31, _)
                    | (192, 168, _)
                    | (192, 0, 0 | 2)
                    | (192, 88, 99)
                    | (198, 18..=19, _)
                    | (198, 51, 100)
                    | (203, 0, 113)
            );
            !special
        }
        IpAddr::V6(address) => {
            // Global unicast, without what is documentation or carries an IPv4 address that would need checking itself.
            match address.segments() {
                [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] => false,
                [first, ..] => (0x2000..0x4000).contains(&first),
            }
        }
    }
}

/// What went wrong, without repeating what the server said.
fn explain(host: &str, error: &reqwest::Error) -> Error {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<Error>() {
            return ours.clone();
        }
        if is_about_a_certificate(inner) {
            return Error::Certificate(host.to_owned());
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        Error::Slow(host.to_owned())
    } else {
        Error::Unreachable(host.to_owned())
    }
}

/// Whether it says that a certificate cannot be trusted. An error of input and output hides what it wraps from `source`, and
/// there may be several around one another.
fn is_about_a_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(
            error,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
        );
    }
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.is_some_and(|wrapped| is_about_a_certificate(wrapped))
}
