//! What a program knows us by: signatures as in Standard Webhooks 1.0.0, and a digest of the body alone for those who know no other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::secrets::hmac;

/// The value of `webhook-signature`: one signature for each secret.
pub(super) fn signature(secrets: &[Vec<u8>], (id, timestamp): (&str, i64), body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let sign = |secret: &Vec<u8>| STANDARD.encode(hmac(secret, signed.as_bytes()));
    let signatures: Vec<_> = secrets.iter().map(|secret| format!("v1,{}", sign(secret))).collect();
    signatures.join(" ")
}

/// The value of one `X-Signature-256`.
pub(super) fn digest(secret: &[u8], body: &str) -> String {
    format!("sha256={}", hex::encode(hmac(secret, body.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message that the libraries of Standard Webhooks are tested with.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT_AT: i64 = 1_614_265_330;
    const BODY: &str = r#"{"test": 2432232314}"#;

    #[test]
    fn a_message_has_the_signature_of_the_standard() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(std::slice::from_ref(&secret), (ID, SENT_AT), BODY), one);
        let two = signature(&[secret, vec![7; 32]], (ID, SENT_AT), BODY);
        let (first, second) = two.split_once(' ').unwrap();
        assert_eq!(first, one);
        assert!(second.starts_with("v1,") && second != one, "{second}");
    }

    /// The example of GitHub's documentation, and the first of RFC 4231.
    #[test]
    fn a_body_has_the_digest_of_the_examples() {
        for (secret, body, hex) in [
            (
                &b"It's a Secret to Everybody"[..],
                "Hello, World!",
                "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            ),
            (
                &[0x0b; 20][..],
                "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
        ] {
            assert_eq!(digest(secret, body), format!("sha256={hex}"));
        }
    }
}
