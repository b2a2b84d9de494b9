//! Clients of our own two APIs: the native one, and the vendor's as its SDKs call it. The command line, the demo and
//! the end-to-end tests use them; the server does not.

pub mod components;
pub mod rest;
pub mod vendor;

pub use self::rest::Rest;
pub use self::vendor::Vendor;
