//! Speaks Flight SQL, decides who may do what, runs statements.
