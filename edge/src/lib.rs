//! The edge cache: the path of a request, top to bottom.
