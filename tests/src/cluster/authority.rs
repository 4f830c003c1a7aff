//! Who is trusted in a cluster? A certificate authority that lives as long as the cluster, and what it signs.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, SanType,
};

/// Signs certificates, and keeps them as files.
#[derive(Debug)]
pub(super) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The certificate, as PEM.
    pub(super) certificate: PathBuf,
    /// Its key, as PEM.
    pub(super) key: PathBuf,
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    std::fs::write(&path, text).expect("a folder of the test can be written to");
    path
}

impl Authority {
    /// A new one, which keeps its files in a folder that is there.
    pub(super) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "cluster of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("keys can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("the certificate is well-formed");
        let folder = folder.to_owned();
        write(folder.join("ca.crt"), &issuer.pem());
        Self { folder, issuer }
    }

    /// The authority's own certificate.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// As PEM.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a server on loopback shows.
    pub(super) fn server(&self) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "kubernetes.default.svc".to_owned()])
            .expect("the names are well-formed");
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign("server", &params)
    }

    /// What a client shows who is `name` in `group`.
    pub(super) fn client(&self, name: &str, group: &str) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&format!("client-{}", name.replace(['/', ':'], "-")), &params)
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the certificate is well-formed");
        Identity {
            certificate: write(self.folder.join(format!("{file}.crt")), &certificate.pem()),
            key: write(self.folder.join(format!("{file}.key")), &key.serialize_pem()),
        }
    }

    /// The key that signs the tokens of ServiceAccounts. RSA, as clusters have it.
    pub(super) fn tokens(&self) -> PathBuf {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("keys can be made");
        write(self.folder.join("tokens.key"), &key.serialize_pem())
    }
}
