//! The published vectors, two other implementations beside ours, and every bit of a proof.

use aws_lc_rs::signature::Ed25519KeyPair;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use events::TenantId;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sha2::Sha256;
use uuid::Uuid;

use super::Hash;
use super::checkpoint::{Checkpoint, Origin};
use super::note::{self, NoteError, VerifierKey};
use super::proof::{self, Root, consistency_path, continues, includes, inclusion_path};
use super::tree::{Edge, Tiles, edge_tiles, leaf_hash, node_hash};

/// The leaves of the published vectors (RFC 6962 trees of the Certificate Transparency reference).
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(text: &str) -> Hash {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn published() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())).collect()
}

/// A tree of these leaves with all that is kept of it.
fn grown(leaves: &[Hash]) -> (Edge, Tiles) {
    let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
    for leaf in leaves {
        for full in edge.push(*leaf) {
            tiles.insert(full.id, full.hashes.as_flattened());
        }
    }
    for begun in edge.unfinished() {
        tiles.insert(begun.id, begun.hashes.as_flattened());
    }
    (edge, tiles)
}

fn hashes(tiles: &Tiles, path: &[std::ops::Range<u64>]) -> Vec<Hash> {
    path.iter().map(|range| tiles.range(range).unwrap()).collect()
}

fn numbered(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

#[test]
fn the_published_roots_come_out() {
    for (size, root) in ROOTS.iter().enumerate() {
        let (edge, tiles) = grown(&published()[..size]);
        assert_eq!(edge.root(), hash(root), "of {size} leaves");
        assert_eq!(tiles.range(&(0..size as u64)).unwrap(), hash(root), "of {size} leaves");
    }
}

#[test]
fn the_published_proofs_come_out() {
    const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    const F: &str = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
    const G: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    let (_, tiles) = grown(&published());
    let included = |index, size| hashes(&tiles, &inclusion_path(index, size));
    let consistent = |from, to| hashes(&tiles, &consistency_path(from, to));
    let all = |texts: &[&str]| texts.iter().map(|text| hash(text)).collect::<Vec<_>>();
    assert_eq!(included(0, 1), all(&[]));
    assert_eq!(included(0, 8), all(&[A, B, C]));
    assert_eq!(included(5, 8), all(&[D, E, F]));
    assert_eq!(included(2, 3), all(&[ROOTS[2]]));
    assert_eq!(included(1, 5), all(&[ROOTS[1], B, D]));
    assert_eq!(consistent(1, 1), all(&[]));
    assert_eq!(consistent(1, 8), all(&[A, B, C]));
    assert_eq!(consistent(6, 8), all(&[G, E, F]));
    assert_eq!(consistent(2, 5), all(&[B, D]));
}

#[test]
fn every_proof_of_every_tree_up_to_two_tiles_is_believed() {
    let leaves = numbered(520);
    for size in (1..40).chain([255, 256, 257, 511, 512, 513, 520]) {
        let (edge, tiles) = grown(&leaves[..usize::try_from(size).unwrap()]);
        let root = edge.root();
        let step = if size < 40 { 1 } else { 37 }; // hashing takes its time without optimisation
        for index in (0..size).step_by(step) {
            let proof = hashes(&tiles, &inclusion_path(index, size));
            let leaf = &leaves[usize::try_from(index).unwrap()];
            assert!(includes(leaf, index, size, &proof, &root), "{index} of {size}");
            assert!(!includes(leaf, index + 1, size, &proof, &root), "{index} of {size}");
        }
        for earlier in (1..=size).step_by(step) {
            let from = tiles.range(&(0..earlier)).unwrap();
            let (from, to) = (Root { size: earlier, hash: from }, Root { size, hash: root });
            let proof = hashes(&tiles, &consistency_path(earlier, size));
            assert!(continues(&from, &to, &proof), "{earlier} of {size}");
        }
    }
}

#[test]
fn a_tree_goes_on_from_its_tiles_as_if_it_had_never_stopped() {
    let leaves = numbered(70_000);
    let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
    for leaf in &leaves {
        for full in edge.push(*leaf) {
            tiles.insert(full.id, full.hashes.as_flattened());
        }
        let size = edge.size();
        if ![1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999].contains(&size) {
            continue;
        }
        for begun in edge.unfinished() {
            tiles.insert(begun.id, begun.hashes.as_flattened());
        }
        assert_eq!(Edge::resume(size, &tiles).unwrap(), edge, "{size}");
        assert!(edge_tiles(size).len() <= 3);
        assert_eq!(tiles.range(&(0..size)).unwrap(), edge.root(), "{size}");
    }
    let missing = Edge::resume(70_000, &Tiles::default()).unwrap_err();
    assert!(missing.to_string().contains("lacks hashes"), "{missing}");
}

#[test]
fn a_proof_in_a_million_leaves_takes_a_few_tiles_and_twenty_hashes() {
    for index in [0, 255, 256, 524_288, 999_999] {
        let path = inclusion_path(index, 1_000_000);
        assert!(path.len() <= 20, "{}", path.len());
        assert!(Tiles::needed(&path).len() <= 6);
    }
    for from in [1, 255, 65_536, 999_999] {
        let path = consistency_path(from, 1_000_000);
        assert!(path.len() <= 21, "{}", path.len());
        assert!(Tiles::needed(&path).len() <= 6);
    }
}

/// The hashes of a proof with something done to them, or nothing.
fn bent(mut proof: Vec<Hash>, random: &mut StdRng) -> Vec<Hash> {
    let place = random.random_range(0..proof.len().max(1));
    match random.random_range(0..5) {
        0 if !proof.is_empty() => proof[place][random.random_range(0..32)] ^= 1,
        1 if !proof.is_empty() => drop(proof.remove(place)),
        2 => proof.insert(place, leaf_hash(b"more")),
        3 if proof.len() > 1 => proof.swap(0, place),
        _ => {}
    }
    proof
}

#[test]
fn another_implementation_believes_exactly_the_same_proofs() {
    let mut random = StdRng::seed_from_u64(6962);
    let leaves: Vec<[u8; 8]> = (0..150_u64).map(u64::to_be_bytes).collect();
    let hashed: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let (_, tiles) = grown(&hashed);
    let roots: Vec<Hash> = (0..=150).map(|size| tiles.range(&(0..size)).unwrap()).collect();
    let root_of = |size: u64| roots[usize::try_from(size).unwrap()];
    let mut believed = 0;
    for round in 0..10_000 {
        let size = random.random_range(1..=150_u64);
        let (index, claimed) = (random.random_range(0..size), random.random_range(0..20_u64));
        let index_claimed = if claimed == 0 { random.random_range(0..size) } else { index };
        let root = root_of(size);
        let theirs = RootHash::<Sha256>::new(root.into(), size);
        let proof = bent(hashes(&tiles, &inclusion_path(index, size)), &mut random);
        let leaf = usize::try_from(index).unwrap();
        let ours = includes(&hashed[leaf], index_claimed, size, &proof, &root);
        let bytes = InclusionProof::try_from_bytes(proof.as_flattened().to_vec()).unwrap();
        let found = theirs.verify_inclusion(&leaves[leaf], index_claimed, &bytes).is_ok();
        assert_eq!(ours, found, "round {round}: {index_claimed} of {size}");
        believed += u32::from(ours);

        let earlier = random.random_range(1..=size);
        if earlier == size {
            continue; // theirs has no proof for that
        }
        let from = root_of(earlier);
        let old = RootHash::<Sha256>::new(from.into(), earlier);
        let proof = bent(hashes(&tiles, &consistency_path(earlier, size)), &mut random);
        let bytes = ConsistencyProof::try_from_bytes(proof.as_flattened().to_vec()).unwrap();
        let (from, to) = (Root { size: earlier, hash: from }, Root { size, hash: root });
        let ours = continues(&from, &to, &proof);
        let found = theirs.verify_consistency(&old, &bytes).is_ok();
        assert_eq!(ours, found, "round {round}: {earlier} to {size}");
        believed += u32::from(ours);
    }
    assert!((4_000..16_000).contains(&believed), "{believed} were right and the others wrong");
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    let tenant = TenantId(Uuid::from_u128(0xa11ce));
    Checkpoint {
        origin: Origin::new("https://annals.example/", tenant, 3),
        size: 42,
        root: node_hash(&[1; 32], &[2; 32]),
    }
}

#[test]
fn the_example_of_the_standard_is_believed_and_nothing_else_of_it() {
    let key: VerifierKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let signed = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let example = format!("{text}\n{signed}");
    assert_eq!(note::open(&example, std::slice::from_ref(&key)), Ok(text));
    let altered = example.replace("answer", "solution");
    assert_eq!(note::open(&altered, &[key]), Err(NoteError::Forged("PeterNeumann".into())));
    assert_eq!(note::open(&example, &[]), Err(NoteError::Unsigned));
}

#[test]
fn our_notes_are_believed_and_read_as_they_were_written() {
    let checkpoint = checkpoint();
    let name = checkpoint.origin.to_string();
    assert_eq!(name, "annals.example/t/00000000-0000-0000-0000-0000000a11ce/g3");
    let text = checkpoint.to_string();
    let signed = note::sign(&text, &name, &pair()).unwrap();
    let key = VerifierKey::new(&name, note::public(&pair()).unwrap()).unwrap();
    assert_eq!(key.to_string().parse::<VerifierKey>().unwrap(), key);
    assert_eq!(note::open(&signed, std::slice::from_ref(&key)), Ok(&*text));
    assert_eq!(note::unverified(&signed), Ok(&*text));
    assert_eq!(text.parse::<Checkpoint>().unwrap(), checkpoint);
}

#[test]
fn a_key_of_another_name_or_id_is_none_of_ours() {
    let public = note::public(&pair()).unwrap();
    let key = VerifierKey::new("a/t/b/g1", public).unwrap().to_string();
    let (start, end) = key.split_at(key.find('+').unwrap() + 1);
    for bad in [
        String::new(),
        key.replace("a/t/b/g1", "a/t/c/g1"),
        format!("{start}00000000{}", &end[8..]),
        key.replace('+', " "),
        key[..key.len() - 4].to_owned(),
    ] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
    assert!(VerifierKey::new("with space", public).is_err());
    assert!(note::sign("no line feed", "a", &pair()).is_err());
    assert!(note::sign("a\ttab\n", "a", &pair()).is_err());
}

#[test]
fn a_checkpoint_in_another_spelling_is_refused() {
    let text = checkpoint().to_string();
    assert!(format!("{text}extension\n").parse::<Checkpoint>().is_ok(), "others may say more");
    for bad in [
        text.replace("42", "042"),
        text.replace("42", "+42"),
        text.replace("/g3", "/g03"),
        text.replace("a11ce", "A11CE"),
        text.replace("/t/", "/"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        text.replace('=', ""),
        String::new(),
    ] {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_note_with_one_flipped_bit_is_never_believed(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let checkpoint = checkpoint();
        let name = checkpoint.origin.to_string();
        let signed = note::sign(&checkpoint.to_string(), &name, &pair()).unwrap();
        let key = VerifierKey::new(&name, note::public(&pair()).unwrap()).unwrap();
        let mut bytes = signed.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(altered) = String::from_utf8(bytes) {
            prop_assert!(note::open(&altered, &[key]).is_err());
        }
    }

    #[test]
    fn arbitrary_proofs_are_refused_without_ado(
        index in any::<u64>(), size in any::<u64>(), from in any::<u64>(),
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        prop_assert!(!proof::includes(&[0; 32], index, size, &hashes, &[1; 32]));
        let (from, to) = (Root { size: from, hash: [2; 32] }, Root { size, hash: [3; 32] });
        prop_assert!(!proof::continues(&from, &to, &hashes));
    }

    #[test]
    fn arbitrary_texts_are_no_notes(text in ".{0,200}") {
        let signed = text.contains("\n\n\u{2014}");
        prop_assert!(note::unverified(&text).is_err() || signed);
        prop_assert!(text.parse::<VerifierKey>().is_err());
    }
}
