//! The origin: a small server of real files or of synthetic objects, with a journal.
