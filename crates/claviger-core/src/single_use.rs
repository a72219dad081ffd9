//! What may be used once: how storage calls it.

use aws_lc_rs::digest::{Context, SHA256};

/// Under what a single use is stored: SHA-256 of what it is for, whose it is, and its own id (`jti`). One holder's ids never
/// meet another's, and storage learns none of them.
pub fn single_use_key(purpose: &str, holder: &str, id: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [purpose, holder, id] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_each_part_and_on_where_it_ends() {
        let key = single_use_key("client_assertion", "sa_1", "a");
        assert_eq!(key, single_use_key("client_assertion", "sa_1", "a"));
        for (purpose, holder, id) in [
            ("dpop", "sa_1", "a"),
            ("client_assertion", "sa_2", "a"),
            ("client_assertion", "sa_1", "b"),
            ("client_assertion", "sa_", "1a"),
            ("client_assertion", "sa_1a", ""),
            ("client_assertions", "a_1", "a"),
        ] {
            assert_ne!(key, single_use_key(purpose, holder, id), "{purpose} {holder} {id}");
        }
    }
}
