//! Futures and errors in boxes, as the systems' traits take and return them. It knows no system.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// A future in a box, of a trait that has to be an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An error of a user's.
pub type BoxError = Box<dyn Error + Send + Sync>;
