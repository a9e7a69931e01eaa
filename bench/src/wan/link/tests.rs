//! Of links.
