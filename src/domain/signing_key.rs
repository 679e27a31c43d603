//! The P-256 key of the installation, with which it signs messages for phones. It is kept in the form in which
//! Mattermost keeps it, so that a database can be attached in both directions.

use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64;
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

/// Returns the public half of the installation's key as DER in base64. The first start makes the key, and servers that
/// start at once on one database get the same one.
///
/// A key that cannot be read is left as it is and logged, because another server may use it.
pub(crate) async fn public_key(db: &Db) -> Result<Option<String>, StoreError> {
    let stored = match db.system(ROW).await? {
        Some(stored) => stored,
        None => match made() {
            Some(made) => db.ready_system(ROW, &made).await?,
            None => return Ok(None),
        },
    };
    let public = public_half(&stored);
    if public.is_none() {
        warn!("the row {ROW} of the table systems contains no P-256 key; clients are not told its public half");
    }
    Ok(public)
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

fn public_half(text: &str) -> Option<String> {
    let Document { ecdsa_key: key } = serde_json::from_str(text).ok()?;
    let [x, y, secret] = [&key.x, &key.y, &key.d].map(|number| bytes(number.get()));
    let point = [&[UNCOMPRESSED][..], &x?, &y?].concat();
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &secret?, &point).ok()?;
    (key.curve == CURVE).then(|| pair.public_key().as_der().ok())?.map(|der| BASE64.encode(der.as_ref()))
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
        let der = BASE64.decode(public_half(GENERATOR).unwrap().as_bytes()).unwrap();
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
            assert_eq!(public_half(&GENERATOR.replace(from, to)), None, "{to}");
        }
    }
}
