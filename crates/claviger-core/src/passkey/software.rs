//! An authenticator in software, for tests: it makes keys of all sorts, signs, and says whatever a test wants it to say. It knows
//! nothing of the crate, so that the tests of others may use this very file.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) const PRESENT: u8 = 1;
pub(crate) const VERIFIED: u8 = 4;
pub(crate) const ELIGIBLE: u8 = 8;
pub(crate) const BACKED_UP: u8 = 16;
pub(crate) const ATTESTED: u8 = 64;
pub(crate) const EXTENDED: u8 = 128;

/// A private key.
pub(crate) enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Pair {
    pub(crate) fn es256() -> Self {
        Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn eddsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn rs256() -> Self {
        Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Es256(pair) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(bytes).as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
        }
    }

    pub(crate) fn alg(&self) -> i64 {
        match self {
            Self::Es256(_) => -7,
            Self::EdDsa(_) => -8,
            Self::Rs256(_) => -257,
        }
    }

    /// Its public half as a COSE key.
    pub(crate) fn cose(&self) -> Vec<u8> {
        match self {
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                map(&[(int(1), int(2)), (int(3), int(-7)), (int(-1), int(1)), (int(-2), bytes(x)), (int(-3), bytes(y))])
            }
            Self::EdDsa(pair) => {
                let x = bytes(pair.public_key().as_ref());
                map(&[(int(1), int(1)), (int(3), int(-8)), (int(-1), int(6)), (int(-2), x)])
            }
            Self::Rs256(pair) => {
                // RFC 8017, section A.1.1, of 2048 bits.
                let der = pair.public_key().as_ref();
                let (n, e) = (bytes(&der[9..265]), bytes(&der[267..]));
                map(&[(int(1), int(3)), (int(3), int(-257)), (int(-1), n), (int(-2), e)])
            }
        }
    }
}

/// One credential of an authenticator, and what it says next.
pub(crate) struct Software {
    pub(crate) pair: Pair,
    pub(crate) credential: Vec<u8>,
    pub(crate) flags: u8,
    pub(crate) sign_count: u32,
    pub(crate) relying_party: String,
    pub(crate) origin: String,
    pub(crate) challenge: Vec<u8>,
    /// What the browser says besides, or instead.
    pub(crate) client_data: Value,
    /// The format of the attestation, and its statement.
    pub(crate) attestation: (&'static str, Vec<u8>),
    /// What follows in what the authenticator says.
    pub(crate) extensions: Vec<u8>,
}

impl Software {
    /// As a usual one is that somebody carries along: asked by this page, which answers for itself.
    pub(crate) fn at(relying_party: &str, origin: &str, pair: Pair) -> Self {
        Self {
            credential: digest(&SHA256, &pair.cose()).as_ref().to_vec(),
            pair,
            flags: PRESENT | VERIFIED,
            sign_count: 0,
            relying_party: relying_party.to_owned(),
            origin: origin.to_owned(),
            challenge: Vec::new(),
            client_data: json!({}),
            attestation: ("none", map(&[])),
            extensions: Vec::new(),
        }
    }

    /// What the browser saw.
    pub(crate) fn client_data(&self, question: &str) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(&self.challenge);
        let mut data = json!({ "type": question, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        data.as_object_mut().unwrap().extend(self.client_data.as_object().unwrap().clone());
        data.to_string().into_bytes()
    }

    /// What the authenticator says and signs.
    pub(crate) fn data(&self, attested: Option<&[u8]>) -> Vec<u8> {
        let flags = self.flags | if attested.is_some() { ATTESTED } else { 0 };
        let mut data = digest(&SHA256, self.relying_party.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.sign_count.to_be_bytes());
        if let Some(key) = attested {
            data.extend([0; 16]);
            data.extend(u16::try_from(self.credential.len()).unwrap().to_be_bytes());
            data.extend(&self.credential);
            data.extend(key);
        }
        data.extend(&self.extensions);
        data
    }

    /// What a browser sends of a new credential: client data, and attestation.
    pub(crate) fn register(&self) -> (Vec<u8>, Vec<u8>) {
        self.register_key(&self.pair.cose())
    }

    /// The same with another text for its key.
    pub(crate) fn register_key(&self, cose: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (format, statement) = &self.attestation;
        let attestation = map(&[
            (text("fmt"), text(format)),
            (text("attStmt"), statement.clone()),
            (text("authData"), bytes(&self.data(Some(cose)))),
        ]);
        (self.client_data("webauthn.create"), attestation)
    }

    /// What a browser sends of one that is used: client data, authenticator data, and signature.
    pub(crate) fn assert(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let (client_data, data) = (self.client_data("webauthn.get"), self.data(None));
        let signature = self.pair.sign(&signed(&data, &client_data));
        (client_data, data, signature)
    }
}

/// What an authenticator signs.
pub(crate) fn signed(data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [data, digest(&SHA256, client_data).as_ref()].concat()
}

/// CBOR (RFC 8949), as little of it as authenticators write.
fn head(kind: u8, value: u64) -> Vec<u8> {
    let kind = kind << 5;
    match u8::try_from(value) {
        Ok(value @ 0..=23) => vec![kind | value],
        Ok(value) => vec![kind | 24, value],
        Err(_) => [vec![kind | 25], u16::try_from(value).unwrap().to_be_bytes().to_vec()].concat(),
    }
}

pub(crate) fn int(value: i64) -> Vec<u8> {
    if value < 0 { head(1, u64::try_from(-1 - value).unwrap()) } else { head(0, u64::try_from(value).unwrap()) }
}

pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    [head(2, value.len() as u64), value.to_vec()].concat()
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    [head(3, value.len() as u64), value.as_bytes().to_vec()].concat()
}

pub(crate) fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut map = head(5, members.len() as u64);
    for (key, value) in members {
        map.extend(key);
        map.extend(value);
    }
    map
}
