// SPDX-License-Identifier: MPL-2.0
//! Certificates for a server on loopback and a device that it knows, as AWS IoT has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// An authority and what it signed, as PEM files in one folder.
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes them.
    ///
    /// # Panics
    /// When they cannot be made or written.
    pub fn new(folder: &Path) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let pki = Pki {
            folder: folder.into(),
        };
        fs::write(pki.authority(), authority.pem()).expect("a folder to write to");
        pki.sign(&authority, "server", ExtendedKeyUsagePurpose::ServerAuth);
        pki.sign(&authority, "device", ExtendedKeyUsagePurpose::ClientAuth);
        pki
    }

    fn sign(
        &self,
        authority: &CertifiedIssuer<'_, KeyPair>,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) {
        let names = ["localhost".to_string(), "127.0.0.1".to_string()];
        let mut params = CertificateParams::new(names).expect("names");
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, authority).expect("a certificate");
        fs::write(self.certificate(name), certificate.pem()).expect("a folder to write to");
        fs::write(self.key(name), key.serialize_pem()).expect("a folder to write to");
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate of `server` or `device`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The private key of `server` or `device`.
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// A server that lets in only whom the authority knows.
    ///
    /// # Panics
    /// When the files are not what they were made as.
    pub fn mutual_tls(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.authority()).expect("a certificate");
        roots.add(authority).expect("an authority");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .expect("a verifier");
        let certificate = CertificateDer::from_pem_file(self.certificate("server"));
        let key = PrivateKeyDer::from_pem_file(self.key("server")).expect("a key");
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.expect("a certificate")], key)
            .expect("they belong together")
    }
}
