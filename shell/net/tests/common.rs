//! Endpoints that know each other, for the tests.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use acre_crypto::{Secret, SigningKey};
use acre_net::{AddressBook, Endpoint, Limits, Service, StaticBook};
use acre_types::PublicKey;

pub const ECHO: Service = Service::new("echo/1");
pub const OTHER: Service = Service::new("other/1");
/// Long enough for anything that is to succeed.
pub const LONG: Duration = Duration::from_secs(60);

pub fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([n; 32]))
}

pub fn peer(n: u8) -> PublicKey {
    key(n).public()
}

pub fn limits() -> Limits {
    Limits::default()
}

/// Endpoint with key `n` on a port of its own, entered in the book.
pub async fn listening(n: u8, book: &Arc<StaticBook>, limits: Limits) -> Endpoint {
    let any = Some("127.0.0.1:0".parse().unwrap());
    let book_of = Arc::clone(book) as Arc<dyn AddressBook>;
    let endpoint = Endpoint::bind_with(&key(n), any, book_of, limits).await.unwrap();
    book.insert(endpoint.key(), vec![endpoint.local_addr().unwrap()]);
    endpoint
}

/// Endpoint with key `n` that only dials.
pub async fn dialing(n: u8, book: &Arc<StaticBook>, limits: Limits) -> Endpoint {
    let book = Arc::clone(book) as Arc<dyn AddressBook>;
    Endpoint::bind_with(&key(n), None, book, limits).await.unwrap()
}
