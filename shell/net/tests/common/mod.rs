//! Endpoints that know each other, for the tests.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use acre_crypto::{Secret, SigningKey};
use acre_net::{AddressBook, Endpoint, Limits, Service, StaticBook};
use acre_types::PublicKey;

pub(crate) const ECHO: Service = Service::new("echo/1");
pub(crate) const OTHER: Service = Service::new("other/1");
/// Long enough for anything that is to succeed.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([n; 32]))
}

pub(crate) fn peer(n: u8) -> PublicKey {
    key(n).public()
}

pub(crate) fn limits() -> Limits {
    Limits::default()
}

/// Endpoint with key `n` on a port of its own, entered in the book.
pub(crate) async fn listening(n: u8, book: &Arc<StaticBook>, limits: Limits) -> Endpoint {
    let any = Some("127.0.0.1:0".parse().unwrap());
    let book_of = Arc::clone(book) as Arc<dyn AddressBook>;
    let endpoint = Endpoint::bind_with(&key(n), any, book_of, limits).await.unwrap();
    book.insert(endpoint.key(), vec![endpoint.local_addr().unwrap()]);
    endpoint
}

/// Endpoint with key `n` that only dials.
pub(crate) async fn dialing(n: u8, book: &Arc<StaticBook>, limits: Limits) -> Endpoint {
    let book = Arc::clone(book) as Arc<dyn AddressBook>;
    Endpoint::bind_with(&key(n), None, book, limits).await.unwrap()
}
