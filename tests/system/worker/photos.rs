//! Photos that the core sends inside the member (interface §3).

use base64::{Engine, prelude::BASE64_STANDARD};
use harness::TestSystem;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::campus_under_test::CampusUnderTest;

const LARGEST: usize = 5 * 1024 * 1024;
const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0];
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const WEBP: &[u8] = b"RIFF\x24\x00\x00\x00WEBPVP8 ";

/// A picture of a kind, as far as anybody looks at it.
fn picture(kind: &[u8], size: usize) -> Vec<u8> {
    // Changing bytes, so that no compression makes a large one small on its way.
    let noise = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    kind.iter().copied().chain(noise).take(size).collect()
}

impl CampusUnderTest<'_> {
    /// The photo kept for a member.
    async fn photo(&self, member: &str) -> Option<Value> {
        let query = "SELECT p.campus_id, p.content_type, encode(p.sha256, 'hex') AS sha256,
                            encode(sha256(p.image), 'hex') AS image, octet_length(p.image) AS size,
                            p.updated_at
                     FROM member_photos p JOIN members m ON m.id = p.member_id
                     WHERE m.external_member_id = $1";
        self.system.database.rows(query, &[&member]).await.pop()
    }

    /// Has the core say something of a photo, syncs the member, and answers what is kept.
    async fn photo_after(&self, member: &str, fields: Value) -> Option<Value> {
        self.change(member, fields);
        let log = self.sync("member.updated", member).await;
        assert_eq!(log["status"], "processed", "{log}");
        self.photo(member).await
    }
}

#[tokio::test]
async fn photos_in_base64_are_kept_once_and_only_written_when_they_change() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    assert_eq!(campus.photo(&member).await, None);

    let jpeg = picture(JPEG, 40_000);
    let plain = BASE64_STANDARD.encode(&jpeg);
    let kept = campus.photo_after(&member, json!({"photo_base64": plain})).await.unwrap();
    let hash = hex::encode(Sha256::digest(&jpeg));
    assert_eq!(kept["campus_id"], campus.id.as_str());
    assert_eq!(kept["content_type"], "image/jpeg");
    assert_eq!((&kept["sha256"], &kept["image"]), (&json!(hash), &json!(hash)));

    // The same photo, also where it is written otherwise, is not written again.
    let row = campus.member(&member).await;
    for same in [plain.clone(), format!("data:image/png;base64,{plain}")] {
        let again = campus.photo_after(&member, json!({"photo_base64": same})).await;
        assert_eq!(again.unwrap(), kept);
    }
    assert_eq!(campus.member(&member).await, row);
    // Nor where the core does not mention it.
    system.core.remove_keys(&member, &["photo_base64"]).unwrap();
    assert_eq!(campus.photo_after(&member, json!({})).await.unwrap(), kept);

    for (kind, content_type) in [(PNG, "image/png"), (WEBP, "image/webp")] {
        let image = picture(kind, 3_000);
        let url = format!("data:{content_type};base64,{}", BASE64_STANDARD.encode(&image));
        let kept = campus.photo_after(&member, json!({"photo_base64": url})).await.unwrap();
        assert_eq!(kept["content_type"], content_type);
        assert_eq!(kept["image"], hex::encode(Sha256::digest(&image)));
    }
    assert_eq!(campus.photo_after(&member, json!({"photo_base64": null})).await, None);
}

#[tokio::test]
async fn a_photo_that_cannot_be_kept_counts_as_none() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.bring(json!({"full_name": "Budi"})).await;
    let good = BASE64_STANDARD.encode(picture(JPEG, 500));
    let unusable = [
        ("too large", json!({"photo_base64": BASE64_STANDARD.encode(picture(JPEG, LARGEST + 1))})),
        ("no picture", json!({"photo_base64": BASE64_STANDARD.encode("<svg onload=alert(1)>")})),
        (
            "at an address",
            json!({"photo_base64": good, "photo_url": "https://photos.example/1.jpg"}),
        ),
    ];
    for (what, fields) in unusable {
        let usable = json!({"photo_base64": good, "photo_url": null});
        assert!(campus.photo_after(&member, usable).await.is_some());
        assert_eq!(campus.photo_after(&member, fields).await, None, "{what}");
    }
    // What cannot even be read says nothing of the one that is kept.
    let kept = campus.photo_after(&member, json!({"photo_base64": good, "photo_url": null})).await;
    assert!(kept.is_some());
    for unreadable in [json!("not base64 at all!"), json!({"$binary": good})] {
        let fields = json!({"photo_base64": unreadable});
        assert_eq!(campus.photo_after(&member, fields).await, kept);
    }
    let largest =
        json!({"photo_base64": BASE64_STANDARD.encode(picture(JPEG, LARGEST)), "photo_url": null});
    assert_eq!(campus.photo_after(&member, largest).await.unwrap()["size"], LARGEST);
}

#[tokio::test]
async fn a_webhook_and_an_answer_of_15_megabytes_are_synced() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let image = picture(JPEG, LARGEST - 1);
    let scan = BASE64_STANDARD.encode(picture(b"%PDF-1.7", 8 * 1024 * 1024));
    let member = campus.create(json!({
        "full_name": "Maria \u{674e}",
        "photo_base64": format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(&image)),
        "documents": [{"name": "baptism.pdf", "content_base64": &scan[..8_500_000]}],
    }));
    let data = system.core.member(&member).unwrap();
    let body = campus.body("member.created", &member).with_data(data);
    let size = body.to_bytes().len();
    assert!(size > 15_000_000, "{size}");

    let event = campus.deliver(&body).await;
    let log = campus.end_of(&event).await;
    assert_eq!(log["message"], "Member created: Maria \u{674e}");
    assert_eq!(log["attempts"], 1);
    let kept = campus.photo(&member).await.unwrap();
    assert_eq!(kept["image"], hex::encode(Sha256::digest(&image)));
    assert_eq!(kept["size"], LARGEST - 1);
}
