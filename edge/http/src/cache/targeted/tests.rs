//! Tables of CDN-Cache-Control.
