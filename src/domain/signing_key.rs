//! The P-256 key of the installation, with which it signs messages for phones. It is kept in the form in which
//! Mattermost keeps it, so that a database can be attached in both directions.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tracing::warn;

use crate::store::{Db, StoreError};

/// The row of `systems` with the key.
const ROW: &str = "AsymmetricSigningKey";

const CURVE: &str = "P-256";

/// The length of a coordinate and of the secret number, in bytes.
const NUMBER_BYTES: usize = 32;

/// The first byte of a point that is written with both coordinates.
const UNCOMPRESSED: u8 = 4;

/// The header of a signature, which names its algorithm (RFC 7515).
const JWT_HEADER: &[u8] = br#"{"alg":"ES256","typ":"JWT"}"#;

/// The key of the installation. All servers of a database have the same one.
pub(crate) struct SigningKey {
    pair: EcdsaKeyPair,
    public_half: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("public_half", &self.public_half).finish_non_exhaustive()
    }
}

/// The content of the signature of a message to a device.
#[derive(Serialize)]
struct PushClaims<'a> {
    ack_id: &'a str,
    device_id: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Document {
    ecdsa_key: Key,
}

/// A key. Its numbers are decimal in JSON, and too long for a number type.
#[derive(Serialize, Deserialize)]
struct Key {
    curve: String,
    x: Box<RawValue>,
    y: Box<RawValue>,
    d: Box<RawValue>,
}

impl SigningKey {
    /// Reads the installation's key. The first start makes it, and servers that start at once on one database get the
    /// same one.
    ///
    /// A key that cannot be read is left as it is and logged, because another server may use it.
    pub(crate) async fn of_installation(db: &Db) -> Result<Option<Self>, StoreError> {
        let stored = match db.system(ROW).await? {
            Some(stored) => stored,
            None => match made() {
                Some(made) => db.ready_system(ROW, &made).await?,
                None => return Ok(None),
            },
        };
        let key = Self::read(&stored);
        if key.is_none() {
            warn!(
                "the row {ROW} of the table systems contains no P-256 key; clients are not told its public half, and \
                 push notifications are sent without a signature"
            );
        }
        Ok(key)
    }

    fn read(text: &str) -> Option<Self> {
        let Document { ecdsa_key: key } = serde_json::from_str(text).ok()?;
        let [x, y, secret] = [&key.x, &key.y, &key.d].map(|number| bytes(number.get()));
        let point = [&[UNCOMPRESSED][..], &x?, &y?].concat();
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &secret?, &point).ok()?;
        let public_half = BASE64.encode(pair.public_key().as_der().ok()?.as_ref());
        (key.curve == CURVE).then_some(Self { pair, public_half })
    }

    /// Returns the public half as DER in base64.
    pub(crate) fn public_half(&self) -> &str {
        &self.public_half
    }

    /// Returns the signature of a message to a device: a JWT with the message's `ack_id` and the id of the device.
    /// Returns `None` if the machine has no random numbers.
    pub(crate) fn push_signature(&self, ack_id: &str, device_id: &str) -> Option<String> {
        let claims = serde_json::to_vec(&PushClaims { ack_id, device_id }).ok()?;
        let signed = format!("{}.{}", BASE64URL_NOPAD.encode(JWT_HEADER), BASE64URL_NOPAD.encode(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref())))
    }
}

/// Makes a key, as JSON. Returns `None` if the machine has no random numbers.
fn made() -> Option<String> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
    let secret = pair.private_key().as_be_bytes().ok()?;
    let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(NUMBER_BYTES)?;
    let number = |bytes: &[u8]| RawValue::from_string(decimal(bytes)).ok();
    let key = Key { curve: CURVE.to_owned(), x: number(x)?, y: number(y)?, d: number(secret.as_ref())? };
    Some(to_raw_value(&Document { ecdsa_key: key }).ok()?.get().to_owned())
}

/// Returns a number in decimal. The bytes begin with the highest one.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0_u32];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.into_iter().rev().filter_map(|digit| char::from_digit(digit, 10)).collect()
}

/// Returns a decimal number as bytes, the highest one first; `None` if it is none or is too great.
fn bytes(decimal: &str) -> Option<[u8; NUMBER_BYTES]> {
    let mut bytes = [0; NUMBER_BYTES];
    for letter in decimal.chars() {
        let mut carry = letter.to_digit(10)?;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 10;
            *byte = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator of the curve, which is the public half of the secret number 1.
    const GENERATOR: &str = r#"{"ecdsa_key":{"curve":"P-256","x":48439561293906451759052585252797914202762949526041747995844080717082404635286,"y":36134250956749795798585127919587881956611106672985015071877198253568414405109,"d":1}}"#;

    #[test]
    fn a_key_of_mattermost_is_read() {
        let der = BASE64.decode(SigningKey::read(GENERATOR).unwrap().public_half().as_bytes()).unwrap();
        assert_eq!(der.len(), 91);
        assert_eq!(der[26..31], [UNCOMPRESSED, 0x6b, 0x17, 0xd1, 0xf2]);
    }

    #[test]
    fn a_number_survives_its_decimal_form() {
        for (number, text) in [
            ([0; 32], "0"),
            ([255; 32], "115792089237316195423570985008687907853269984665640564039457584007913129639935"),
        ] {
            assert_eq!(decimal(&number), text);
            assert_eq!(bytes(text), Some(number));
        }
        for wrong in [
            "-1",
            "1.5",
            "1e3",
            "\"1\"",
            "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_key_of_the_curve_is_none() {
        let other = [
            ("P-256", "P-384"),
            ("\"d\":1", "\"d\":2"),
            ("\"d\":1", "\"d\":0"),
            ("\"d\":1", "\"d\":null"),
            ("4843956129", "4843956128"),
            ("ecdsa_key", "key"),
        ];
        for (from, to) in other {
            assert!(SigningKey::read(&GENERATOR.replace(from, to)).is_none(), "{to}");
        }
    }
}
