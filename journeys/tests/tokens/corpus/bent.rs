//! Tokens whose payload, form or signature is bent.

use super::*;

impl Mint {
    pub(super) fn payloads(&self) -> Vec<Case> {
        let raw = |claims: &str| self.raw(self.head.to_string(), claims);
        let good = self.claims.to_string();
        let twice = |name: &str, first: Value| {
            raw(&format!("{{\"{name}\":{first},{}", good.trim_start_matches('{')))
        };
        let nobody = platform::clock::new_id::<uuid::Uuid>();
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let pad = |length: usize| self.claims(&json!({"pad": "p".repeat(length)}));
        vec![
            ("payload empty object", raw("{}")),
            ("payload empty", raw("")),
            ("payload null", raw("null")),
            ("payload text", raw("\"owner\"")),
            ("payload in a list", raw(&format!("[{good}]"))),
            ("payload nested deep", raw(&deep)),
            ("payload cut off", raw(&good[..good.len() - 1])),
            ("payload followed by something", raw(&format!("{good}{good}"))),
            ("payload with a byte order mark", raw(&format!("\u{feff}{good}"))),
            (
                "payload not UTF-8",
                self.raw(self.head.to_string(), [&[0xff, 0xfe][..], good.as_bytes()].concat()),
            ),
            ("payload UTF-16", {
                let wide: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
                self.raw(self.head.to_string(), wide)
            }),
            ("payload another token", raw(&self.good)),
            ("payload another token as text", raw(&json!(self.good).to_string())),
            ("payload in a member", raw(&json!({"jwt": self.good}).to_string())),
            ("sub twice", twice("sub", json!(nobody))),
            ("tenant twice", twice("tenant", json!(nobody))),
            ("kind twice", twice("kind", json!("system"))),
            ("iss twice", twice("iss", json!("https://attacker.test"))),
            ("names in other letters", raw(&good.replace("\"sub\"", "\"SUB\""))),
            ("longer than any token of ours", pad(4096)),
            ("ten times as long", pad(30_000)),
        ]
    }

    pub(super) fn segments(&self) -> Vec<Case> {
        let good = &self.good;
        let [h, p, s] = [0, 1, 2].map(|index| segment(good, index));
        let json = json!({"payload": p, "protected": h, "signature": s});
        let general = json!({"payload": p, "signatures": [{"protected": h, "signature": s}]});
        vec![
            ("nothing", String::new()),
            ("one segment", h.to_owned()),
            ("two segments", format!("{h}.{p}")),
            ("an empty signature", format!("{h}.{p}.")),
            ("an empty payload", format!("{h}..{s}")),
            ("an empty head", format!(".{p}.{s}")),
            ("empty segments", "..".to_owned()),
            ("a dot before", format!(".{good}")),
            ("a dot behind", format!("{good}.")),
            ("four segments", format!("{good}.{s}")),
            ("five segments, as if encrypted", format!("{h}.{p}.{s}.{p}.{s}")),
            ("segments in another order", format!("{p}.{h}.{s}")),
            ("other separators", good.replace('.', "-")),
            ("separators in percent", good.replace('.', "%2E")),
            ("a space in the middle", format!("{h}. {p}.{s}")),
            ("a space inside a segment", format!("{h}.{p}.{} {}", &s[..9], &s[9..])),
            ("a tab in the middle", format!("{h}\t.{p}.{s}")),
            ("two tokens", format!("{good},{good}")),
            ("two tokens with a space", format!("{good} {good}")),
            ("the scheme twice", format!("Bearer {good}")),
            ("in quotes", format!("\"{good}\"")),
            ("padded", format!("{h}.{p}.{s}==")),
            ("payload padded", format!("{h}.{p}=.{s}")),
            ("in base64 as a whole", encoded(good)),
            ("in capitals", good.to_uppercase()),
            ("a letter that looks the same", good.replacen('e', "\u{435}", 1)),
            ("cut in half", good[..good.len() / 2].to_owned()),
            ("as JSON", json.to_string()),
            ("as JSON of several signatures", general.to_string()),
            ("the word null", "null".to_owned()),
            ("the word undefined", "undefined".to_owned()),
        ]
    }

    pub(super) fn signatures(&self) -> Vec<Case> {
        let (body, s) = self.good.rsplit_once('.').unwrap();
        let (h, p) = body.split_once('.').unwrap();
        let other = self.claims(&json!({"jti": "another"}));
        let mut fresh = (0..).map(|number: u32| self.claims(&json!({"jti": number.to_string()})));
        let special = |token: &String| segment(token, 2).contains(['-', '_']);
        let plain = fresh.find(special).unwrap();
        let (plain_body, plain_s) = plain.rsplit_once('.').unwrap();
        let mut one = [0; 64];
        one[0] = 1; // R is the neutral element and S is zero
        vec![
            ("signature of another payload", format!("{body}.{}", segment(&other, 2))),
            ("payload of another token", format!("{h}.{}.{s}", segment(&other, 1))),
            ("head of another token", {
                format!("{}.{p}.{s}", segment(&self.by_stranger(&json!({"kid": "k"})), 0))
            }),
            ("signature of the payload alone", format!("{body}.{}", signature(&self.key, p))),
            ("signature halves swapped", self.signature(|s| [&s[32..], &s[..32]].concat())),
            ("signature backwards", self.signature(|s| s.into_iter().rev().collect())),
            ("signature zero", self.signature(|_| vec![0; 64])),
            ("signature of the neutral element", self.signature(|_| one.to_vec())),
            ("signature all ones", self.signature(|_| vec![0xff; 64])),
            ("signature with S plus the order", self.signature(plus_order)),
            ("signature with its first bit flipped", self.signature(|s| flipped(s, 0))),
            ("signature with its last bit flipped", self.signature(|s| flipped(s, 511))),
            ("signature a byte short", self.signature(|s| s[..63].to_vec())),
            ("signature a byte long", self.signature(|s| [&s[..], &[0]].concat())),
            ("signature twice", self.signature(|s| [&s[..], &s[..]].concat())),
            ("signature in hex", format!("{body}.{}", hex::encode(bytes(s)))),
            ("signature in the other base64", {
                format!("{plain_body}.{}", plain_s.replace('-', "+").replace('_', "/"))
            }),
            ("signature with bits left over", format!("{body}.{}", left_over(s))),
            ("payload with its first letter altered", format!("{h}.f{}.{s}", &p[1..])),
        ]
    }
}
