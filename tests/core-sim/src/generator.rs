//! Members made from a seed and a row number: a million of them cost no memory.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::document::Document;
use super::identity::{self, Origin};
use super::names;
use super::photos::PHOTOS;

/// The QR code of the recorded member: every body then has the weight of a real one.
static QR_CODE: LazyLock<String> = LazyLock::new(|| {
    let sample: Value = serde_json::from_str(include_str!("../../samples/faithflow/member.json"))
        .unwrap_or_default();
    sample["body"]["personal_qr_code"].as_str().unwrap_or_default().to_owned()
});

const STATUSES: [&str; 7] = [
    "Full Member",
    "Full Member",
    "Full Member",
    "Visitor",
    "Regular Attender",
    "Pre Member",
    "Jemaat Simpatisan",
];
const MARITAL: [&str; 5] = ["Married", "Married", "Not Married", "Widow", "Widower"];
const OCCUPATIONS: [&str; 12] = [
    "Guru",
    "Karyawan swasta",
    "Wiraswasta",
    "Ibu rumah tangga",
    "Dokter",
    "Petani",
    "Mahasiswa",
    "Pensiunan PNS",
    "Perawat",
    "Sopir",
    "Pelajar",
    "Software engineer",
];
const CITIES: [(&str, &str); 8] = [
    ("Jakarta Barat", "DKI Jakarta"),
    ("Surabaya", "Jawa Timur"),
    ("Bandung", "Jawa Barat"),
    ("Medan", "Sumatera Utara"),
    ("Manado", "Sulawesi Utara"),
    ("Ambon", "Maluku"),
    ("Kupang", "Nusa Tenggara Timur"),
    ("Yogyakarta", "DI Yogyakarta"),
];
const STREETS: [&str; 6] = [
    "Jl. Kebon Jeruk",
    "Jl. Diponegoro",
    "Gg. Mawar",
    "Perum. Griya Asri Blok C",
    "Jl. H.O.S. Cokroaminoto",
    "Dsn. Krajan",
];
const BLOOD_TYPES: [&str; 4] = ["A", "B", "AB", "O"];
const LEAP_DAYS: [&str; 6] =
    ["1952-02-29", "1976-02-29", "1988-02-29", "1992-02-29", "2000-02-29", "2012-02-29"];
/// Two digits of the year swapped or mistyped: the ones that a validator lets through.
const FUTURE_BIRTHDAYS: [&str; 4] = ["2088-05-12", "2091-11-03", "2190-01-15", "2072-02-29"];
const GARBAGE_PHONES: [&str; 8] = [
    "-",
    "tidak ada",
    "0",
    "08123",
    "(021) 555-0199 ext. 3",
    "0812xxxx",
    "n/a",
    "081234567890 / 081398765432",
];

/// Which of several independent streams of one row is meant.
mod stream {
    pub(super) const MEMBER: u64 = 1;
    pub(super) const ACTIVE: u64 = 2;
    pub(super) const HOUSEHOLD: u64 = 3;
}

/// Makes the members of one church.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) seed: u64,
    /// Number of the church among the simulated ones.
    pub(super) church: usize,
    pub(super) church_id: String,
    /// `phone_whatsapp`, or `phone` in newer versions.
    pub(super) phone_key: &'static str,
}

impl Generator {
    /// The id of a row.
    pub(super) fn id(&self, row: u64) -> String {
        identity::encode(self.seed, self.church, Origin::Generated(row))
    }

    /// Whether the row's member is active; cheaper than making the member.
    pub(super) fn is_active(&self, row: u64) -> bool {
        !self.dice(row, stream::ACTIVE).per_mille(40)
    }

    /// The member of a row, the keys in the order of the recorded one.
    pub(super) fn member(&self, row: u64) -> Document {
        let mut dice = self.dice(row, stream::MEMBER);
        let dice = &mut dice;
        let female = dice.per_mille(520);
        let full_name = names::full_name(dice, female);
        let (first_name, last_name) = names::split(&full_name);
        let id = self.id(row);
        let birth = birth_date(dice);
        let code = dice.between(100_000, 999_999).to_string();
        let mut member = Document::with_capacity(40);
        member.push("full_name", full_name);
        member.push("first_name", first_name);
        member.push("last_name", last_name);
        member.push(
            "email",
            sometimes(dice, 350, |dice| {
                format!(
                    "anggota{row}@{}",
                    dice.pick(&["example.org", "mail.example.com", "gereja.example"])
                )
                .into()
            }),
        );
        member.push(self.phone_key, phone(dice));
        member.push("date_of_birth", birth.clone());
        member.push(
            "gender",
            match dice.below(100) {
                0..8 => Value::Null,
                _ if female => "Female".into(),
                _ => "Male".into(),
            },
        );
        push_address(&mut member, dice);
        member.push("marital_status", sometimes(dice, 600, |dice| dice.pick(&MARITAL).into()));
        member.push("occupation", sometimes(dice, 550, |dice| dice.pick(&OCCUPATIONS).into()));
        member.push("baptism_date", sometimes(dice, 500, |dice| date(dice, 1960, 2024).into()));
        member.push("membership_date", sometimes(dice, 450, |dice| date(dice, 1980, 2024).into()));
        member.push("is_active", self.is_active(row));
        member.push("is_deleted", false);
        member.push("deleted_at", Value::Null);
        member.push("deleted_by", Value::Null);
        member.push("household_id", sometimes(dice, 400, |_| self.household(row).into()));
        member.push(
            "notes",
            sometimes(dice, 60, |_| "Pindahan dari gereja lain.\nMinta dikunjungi.".into()),
        );
        member.push(
            "demographic_category",
            sometimes(dice, 500, |dice| {
                dice.pick(&["Anak", "Remaja", "Pemuda", "Dewasa", "Lansia"]).into()
            }),
        );
        member.push("member_status", sometimes(dice, 930, |dice| dice.pick(&STATUSES).into()));
        member.push("current_status_id", Value::Null);
        member.push("participate_in_automation", true);
        member.push("blood_type", sometimes(dice, 300, |dice| dice.pick(&BLOOD_TYPES).into()));
        let photo_url = push_photo(&mut member, dice, &id);
        member.push("personal_document", Value::Null);
        member.push("personal_document_base64", Value::Null);
        member.push("documents", Vec::<Value>::new());
        member.push("custom_fields", custom_fields(dice));
        member.push("personal_qr_code", QR_CODE.as_str());
        member.push("personal_qr_data", format!("MEMBER|{id}|{code}"));
        member.push("personal_id_code", code);
        member.push(
            "preferred_language",
            sometimes(dice, 200, |dice| dice.pick(&["id", "en"]).into()),
        );
        member.push("id", id);
        member.push("church_id", self.church_id.as_str());
        let created = timestamp(dice);
        member.push("created_at", format!("{created}Z"));
        // The core stamps creation with a zone and every later change without one.
        let changed = dice.per_mille(500);
        member.push("updated_at", if changed { timestamp(dice) } else { format!("{created}Z") });
        if let Some(url) = photo_url {
            // Absent in the recorded version, so only where there is one.
            member.push("photo_url", url);
        }
        member
    }

    /// A member without values, every key there, as the core answers for one just created.
    pub(super) fn blank(&self, id: &str, code: u64, now: &str) -> Document {
        let mut member = Document::with_capacity(40);
        for key in [
            "full_name",
            "first_name",
            "last_name",
            "email",
            self.phone_key,
            "date_of_birth",
            "gender",
            "address",
            "city",
            "state",
            "country",
            "marital_status",
            "occupation",
            "baptism_date",
            "membership_date",
        ] {
            member.push(key, Value::Null);
        }
        member.push("is_active", true);
        member.push("is_deleted", false);
        for key in ["deleted_at", "deleted_by", "household_id", "notes", "demographic_category"] {
            member.push(key, Value::Null);
        }
        member.push("member_status", "Visitor");
        member.push("current_status_id", Value::Null);
        member.push("participate_in_automation", true);
        for key in [
            "blood_type",
            "photo_filename",
            "photo_base64",
            "personal_document",
            "personal_document_base64",
        ] {
            member.push(key, Value::Null);
        }
        member.push("documents", Vec::<Value>::new());
        member.push("custom_fields", Map::new());
        member.push("personal_qr_code", QR_CODE.as_str());
        member.push("personal_qr_data", format!("MEMBER|{id}|{code}"));
        member.push("personal_id_code", code.to_string());
        member.push("preferred_language", Value::Null);
        member.push("id", id);
        member.push("church_id", self.church_id.as_str());
        member.push("created_at", format!("{now}Z"));
        member.push("updated_at", format!("{now}Z"));
        member
    }

    /// Families sit together in the list: four rows share one household.
    fn household(&self, row: u64) -> String {
        identity::random(&mut self.dice(row / 4, stream::HOUSEHOLD))
    }

    fn dice(&self, row: u64, stream: u64) -> Dice {
        Dice::new(&[self.seed, self.church as u64, row, stream])
    }
}

/// A value in `share` of a thousand cases, else null.
fn sometimes(dice: &mut Dice, share: u64, value: impl FnOnce(&mut Dice) -> Value) -> Value {
    if dice.per_mille(share) { value(dice) } else { Value::Null }
}

fn push_address(member: &mut Document, dice: &mut Dice) {
    let (city, state) = dice.pick(&CITIES);
    let known = dice.per_mille(620);
    let part = |text: &str| if known { Value::from(text) } else { Value::Null };
    let address = format!("{} No. {}", dice.pick(&STREETS), dice.between(1, 240));
    member.push("address", part(&address));
    member.push("city", part(city));
    member.push("state", part(state));
    member.push("country", part(dice.pick(&["Indonesia", "ID", "Republik Indonesia"])));
}

/// Pushes the two photo keys of the recorded member; answers the URL of those who have one.
fn push_photo(member: &mut Document, dice: &mut Dice, id: &str) -> Option<String> {
    let (kind, picture) = dice.pick(&PHOTOS);
    let extension = kind.trim_start_matches("image/");
    let (filename, base64, url) = match dice.below(1000) {
        0..40 => {
            (Some(format!("{id}.{extension}")), Some(format!("data:{kind};base64,{picture}")), None)
        }
        40..60 => (None, Some(picture.to_owned()), None),
        60..250 => (None, None, Some(format!("https://photos.example.org/members/{id}.jpg"))),
        // A path of the core's own: not to be used.
        250..255 => (None, None, Some(format!("/uploads/members/{id}.jpg"))),
        _ => (None, None, None),
    };
    member.push("photo_filename", filename);
    member.push("photo_base64", base64);
    url
}

fn custom_fields(dice: &mut Dice) -> Value {
    if dice.per_mille(150) {
        json!({
            "golongan": dice.pick(&["Wilayah 1", "Wilayah 2", "Wilayah 3"]),
            "ikut_komsel": dice.per_mille(500),
        })
    } else {
        json!({})
    }
}

fn birth_date(dice: &mut Dice) -> Value {
    match dice.below(1000) {
        0..150 => Value::Null,
        150..165 => dice.pick(&LEAP_DAYS).into(),
        165..170 => dice.pick(&FUTURE_BIRTHDAYS).into(),
        _ => date(dice, 1932, 2024).into(),
    }
}

fn date(dice: &mut Dice, first_year: u64, last_year: u64) -> String {
    let (year, month) = (dice.between(first_year, last_year), dice.between(1, 12));
    format!("{year:04}-{month:02}-{:02}", dice.between(1, 28))
}

/// A moment of the years 2023 to 2025, in microseconds, without a zone.
fn timestamp(dice: &mut Dice) -> String {
    let day = date(dice, 2023, 2025);
    let second = dice.below(86_400);
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day}T{hours:02}:{minutes:02}:{seconds:02}.{:06}", dice.below(1_000_000))
}

/// A phone number the way people type it.
fn phone(dice: &mut Dice) -> Value {
    let network = dice.pick(&["811", "812", "813", "821", "852", "857", "878", "895", "896"]);
    let (middle, last) = (dice.between(1000, 9999), dice.between(1000, 9999));
    match dice.below(100) {
        0..12 => Value::Null,
        12..40 => format!("62{network}{middle}{last}").into(),
        40..62 => format!("0{network}{middle}{last}").into(),
        62..70 => format!("+62{network}{middle}{last}").into(),
        70..76 => format!("+62 {network}-{middle}-{last}").into(),
        76..81 => format!("0{network}-{middle}-{last}").into(),
        81..85 => format!("0{network}.{middle}.{last}").into(),
        85..89 => format!("(+62) {network} {middle} {last}").into(),
        89..92 => format!("(0{network}) {middle}{last}").into(),
        92..94 => format!("62 0{network} {middle} {last}").into(),
        94..96 => format!("+1 650-253-{last}").into(),
        96 => "".into(),
        _ => dice.pick(&GARBAGE_PHONES).into(),
    }
}
