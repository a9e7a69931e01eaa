//! Request fields by which a client could change a response that is stored for all.

/// Whether the request field `name`, in any case, is not forwarded when the response may be stored.
#[must_use]
pub fn is_dropped(name: &[u8]) -> bool {
    let _ = name;
    false
}
