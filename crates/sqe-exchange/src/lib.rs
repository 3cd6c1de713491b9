//! How plan fragments and record batches travel between nodes.
