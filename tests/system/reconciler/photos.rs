//! Photos that come with the list: small ones, and pages that are too heavy with them.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use core_sim::Endpoint;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::night::{Night, counts};

/// A JPEG as far as its first bytes go.
fn photo(bytes: usize, seed: u8) -> String {
    let mut image = vec![seed; bytes];
    image[..4].copy_from_slice(&[0xff, 0xd8, 0xff, 0xe0]);
    BASE64_STANDARD.encode(image)
}

/// The hash of every photo that is kept here, by the member's id in the core.
async fn kept(night: &Night) -> BTreeMap<String, String> {
    let query = "SELECT m.external_member_id AS id, encode(p.sha256, 'hex') AS hash,
                        encode(sha256(p.image), 'hex') AS real
                 FROM member_photos p JOIN members m ON m.id = p.member_id";
    let rows = night.system.database.rows(query, &[]).await;
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    assert!(rows.iter().all(|row| row["hash"] == row["real"]));
    rows.iter().map(|row| (text(row, "id"), text(row, "hash"))).collect()
}

/// The same as the core has it.
fn of_the_core(night: &Night) -> BTreeMap<String, String> {
    let mut photos = BTreeMap::new();
    let church = &night.system.campus.core_church_id;
    night
        .system
        .core
        .for_each_member(church, |member| {
            let has_address =
                member.text("photo_url").is_some_and(|address| address.starts_with("http"));
            if let Some(photo) = member.text("photo_base64")
                && !member.is_true("is_deleted")
                && !has_address
            {
                let encoded = photo.rsplit(',').next().unwrap();
                let image = BASE64_STANDARD.decode(encoded).unwrap();
                let hash = hex::encode(Sha256::digest(image));
                photos.insert(member.text("id").unwrap().to_owned(), hash);
            }
        })
        .unwrap();
    photos
}

#[tokio::test]
async fn a_first_import_brings_photos_along_and_asks_for_nobody() {
    let night = Night::new(400).await;
    night.system.core.reset_counters();
    let run = night.pass().await;
    assert_eq!(night.system.core.requests(Endpoint::Member), 0, "{run}");
    let photos = of_the_core(&night);
    assert!(photos.len() > 10, "{photos:?}");
    assert_eq!(kept(&night).await, photos);
    let before = night.versions().await;
    night.pass().await;
    assert_eq!(night.versions().await, before);

    // Another photo is one drift, repaired once.
    let changed = photos.keys().next().unwrap();
    night.change(changed, json!({"photo_base64": photo(2000, 9)}));
    assert_eq!(counts(&night.pass().await)[2], 1);
    assert_eq!(kept(&night).await, of_the_core(&night));
    let before = night.versions().await;
    assert_eq!(counts(&night.pass().await)[1..5], [0, 0, 0, 0]);
    assert_eq!(night.versions().await, before);
}

#[tokio::test]
async fn pages_heavy_with_photos_are_read_in_parts_with_little_memory() {
    let night = Night::new(30).await;
    for number in 0..30 {
        let heavy = photo(1_500_000, number);
        night.create(json!({"full_name": "With a photo", "photo_base64": heavy}));
    }
    // All of them on one page would be 60 MB, and no page may be over 32 MB.
    night.system.core.reset_counters();
    let import = night.run_watched().await;
    let pages = night.system.core.requests(Endpoint::List);
    assert!(pages > 6, "pages in parts, since all of them on one is too much: {pages}");
    assert_eq!(kept(&night).await, of_the_core(&night));
    let quiet = night.run_watched().await;
    assert_eq!(counts(&night.last_run().await)[1..5], [0, 0, 0, 0]);
    night.execute("DELETE FROM member_photos").await;
    let repair = night.run_watched().await;
    assert_eq!(kept(&night).await, of_the_core(&night));
    // Three pages of at most 32 MB under way, each also as text; far from what they are together.
    for peak in [import, quiet, repair] {
        assert!(peak < 250_000, "{import}, {quiet}, {repair} KiB");
    }
}
