//! TLS for the connection to the database, with the system's root certificates.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::warn;

/// The connector that the driver uses if the connection's `sslmode` asks for TLS. The server's certificate and name are
/// always verified. `SSL_CERT_FILE` names a file with other root certificates than the system's.
pub(crate) fn connector() -> MakeRustlsConnect {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        warn!(%error, "some root certificates could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}
