//! Votes' statements and the certificates made of them.
