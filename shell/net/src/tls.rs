//! TLS 1.3 with raw Ed25519 public keys (RFC 7250) on both sides.
//!
//! There are no certificates and no authorities: the key in the handshake is the identity, and the
//! dialer accepts one key only. No session tickets: a full handshake costs 0.3 ms of CPU and
//! connections are pooled, while a ticket store is memory and one more thing to get wrong.

use std::io;
use std::sync::Arc;

use acre_crypto::SigningKey;
use acre_types::PublicKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName,
    Error, ServerConfig, SignatureScheme,
};
use zeroize::Zeroizing;

use crate::{NetError, Service};

/// What precedes an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What precedes an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A name that no service has.
const NO_SERVICE: &[u8] = &[0];

/// Our key in the library's form, and templates of the settings of both sides.
pub(crate) struct Identity {
    client: ClientConfig,
    server: ServerConfig,
}

impl Identity {
    pub(crate) fn new(key: &SigningKey) -> Result<Self, NetError> {
        let provider = Arc::new(provider());
        // The library sets itself up when it first draws random bytes: now, and not in a call.
        provider
            .secure_random
            .fill(&mut [0; 32])
            .map_err(|_| NetError::Tls { reason: "the system gives no random bytes".into() })?;
        let certified = Arc::new(certified(key).map_err(setup)?);
        let verifier = Arc::new(Verifier { expected: None, provider: Arc::clone(&provider) });

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&certified),
            )));
        client.resumption = Resumption::disabled();
        client.enable_sni = false;

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(setup)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { client, server })
    }

    /// Settings that take `peer` and nobody else, for `service` and nothing else.
    pub(crate) fn dialing(&self, peer: PublicKey, service: Service) -> Arc<ClientConfig> {
        let mut config = self.client.clone();
        let provider = Arc::clone(config.crypto_provider());
        let verifier = Verifier { expected: Some(peer), provider };
        config.dangerous().set_certificate_verifier(Arc::new(verifier));
        config.alpn_protocols = vec![service.name().into()];
        Arc::new(config)
    }

    /// Settings that take anyone who proves a key and asks for one of these services.
    pub(crate) fn accepting(&self, services: impl Iterator<Item = Service>) -> Arc<ServerConfig> {
        let mut config = self.server.clone();
        config.alpn_protocols = services.map(|service| service.name().into()).collect();
        if config.alpn_protocols.is_empty() {
            // Without any name the library would not ask for one.
            config.alpn_protocols.push(NO_SERVICE.into());
        }
        Arc::new(config)
    }
}

/// One key exchange, two ciphers: what every machine of ours has.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
            aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}

fn certified(key: &SigningKey) -> Result<CertifiedKey, Error> {
    let mut pkcs8 = Zeroizing::new(Vec::with_capacity(48));
    pkcs8.extend_from_slice(&PKCS8_PREFIX);
    pkcs8.extend_from_slice(key.seed().expose());
    let signer = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))?;
    let spki = [SPKI_PREFIX.as_slice(), key.public().as_bytes()].concat();
    Ok(CertifiedKey::new(vec![CertificateDer::from(spki)], signer))
}

fn setup(error: Error) -> NetError {
    NetError::Tls { reason: error.to_string() }
}

/// The key in what a peer showed as its certificate.
pub(crate) fn key_of(spki: &[u8]) -> Option<PublicKey> {
    spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(PublicKey)
}

/// Checks that the peer holds the key it shows, and that it is the one dialed.
#[derive(Debug)]
struct Verifier {
    /// `None`: any.
    expected: Option<PublicKey>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let key = key_of(shown).ok_or(CertificateError::BadEncoding)?;
        match self.expected {
            Some(expected) if expected != key => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(shown.as_ref()),
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }
}

const NO_TLS12: &str = "TLS 1.2 is not spoken";

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General(NO_TLS12.into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General(NO_TLS12.into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// What a failed handshake means to who dialed.
pub(crate) enum Failure {
    /// The peer proved another key, or none.
    WrongKey,
    /// The peer does not have the service.
    Refused,
    /// Anything else: the other side may not even speak TLS.
    Other,
}

pub(crate) fn failure(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(_) | Error::PeerIncompatible(_)) => Failure::WrongKey,
        Some(
            Error::AlertReceived(AlertDescription::NoApplicationProtocol)
            | Error::NoApplicationProtocol,
        ) => Failure::Refused,
        _ => Failure::Other,
    }
}
