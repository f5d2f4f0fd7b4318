//! A run on live interfaces.
