//! Names as they stand in the member lists of Indonesian city churches.
//!
//! Mostly Indonesian, with the clans, scripts and typing habits that break naive programs: one name
//! only, apostrophes, several spaces, decomposed accents, right-to-left script, an emoji.

use super::dice::Dice;

const WOMEN: [&str; 36] = [
    "Sumarni",
    "Siti",
    "Dewi",
    "Ningsih",
    "Maria",
    "Ratna",
    "Lestari",
    "Yohana",
    "Kristina",
    "Debora",
    "Ester",
    "Rut",
    "Lidya",
    "Marta",
    "Ni Luh",
    "Ni Made",
    "Anastasia",
    "Veronika",
    "Natalia",
    "Grace",
    "Mei Ling",
    "Lina",
    "Fransiska",
    "Yuliana",
    "Agustina",
    "Rosalina",
    "Melati",
    "Theresia",
    "Wulan",
    "Putri",
    "Sri",
    "Tiurma",
    "Magdalena",
    "Elisabet",
    "Hana",
    "Apriani",
];
const MEN: [&str; 36] = [
    "Budi",
    "Yohanes",
    "Agus",
    "Joko",
    "Bambang",
    "Stefanus",
    "Petrus",
    "Paulus",
    "Andreas",
    "Markus",
    "Lukas",
    "Matius",
    "Daniel",
    "Samuel",
    "Yosua",
    "Yakub",
    "I Made",
    "I Wayan",
    "Ketut",
    "Wahyu",
    "Dwi",
    "Tri",
    "Hendra",
    "Rudi",
    "Kevin",
    "Christian",
    "Imanuel",
    "Gideon",
    "Elia",
    "Togar",
    "Parlindungan",
    "Eko",
    "Slamet",
    "Timotius",
    "Ferdinand",
    "Nathanael",
];
const FAMILIES: [&str; 44] = [
    "Ningsih",
    "Santoso",
    "Wijaya",
    "Setiawan",
    "Hidayat",
    "Kusuma",
    "Halim",
    "Gunawan",
    "Tanuwijaya",
    "Liem",
    "Tan",
    "Kwee",
    "Oei",
    "Siregar",
    "Simanjuntak",
    "Sitompul",
    "Panjaitan",
    "Hutagalung",
    "Nainggolan",
    "Sinaga",
    "Manurung",
    "Tambunan",
    "Lumbantobing",
    "Ginting",
    "Sembiring",
    "Tarigan",
    "Wenas",
    "Mandagi",
    "Rumengan",
    "Lasut",
    "Pattiasina",
    "Latuharhary",
    "Tuhumury",
    "Matulessy",
    "Nugroho",
    "Pranoto",
    "Purnomo",
    "Suryadi",
    "Sudirman",
    "Hartono",
    "Rambu Kahi",
    "Umbu Tara",
    "Da Costa",
    "van den Berg",
];
/// Believable, and each with something that a program may trip over.
const ODD: [&str; 24] = [
    "Suharto",
    "Ani",
    "Yohanes Đặng 李",
    "李美玲",
    "김민수",
    "Nguyễn Thị Hồng Nhung",
    "Zoë O'Connor-Siahaan",
    "Renée Ünal Çelik",
    "Jose\u{301} Ame\u{301}rico",
    "محمد يوسف",
    "யோவான் செல்வம்",
    "Иван Петров",
    "山田 太郎",
    "Ma'ruf  Amin",
    " Dewi Sartika ",
    "R.A. Kartini, S.Pd., M.M.",
    "Pdt. Em. Dr. Yosef P. Widyatmadja",
    "Maria (Bu RT)",
    "Budi \"Bejo\" Santoso",
    "Ruth 🎂 Natalia",
    "Ny. Tjandrawati <almh.>",
    "D\u{2019}Angelo Tuhumury",
    "Anonim",
    "Immanuel Christopher Bartholomeus Parlindungan Hamonangan Lumbantobing Simanjuntak",
];

/// A full name that fits the gender.
pub(super) fn full_name(dice: &mut Dice, female: bool) -> String {
    if dice.per_mille(40) {
        return dice.pick(&ODD).to_owned();
    }
    let first = if female { dice.pick(&WOMEN) } else { dice.pick(&MEN) };
    let family = dice.pick(&FAMILIES);
    let name = match dice.below(10) {
        // One name only is common in Java.
        0 => first.to_owned(),
        1 | 2 => {
            let middle = if female { dice.pick(&WOMEN) } else { dice.pick(&MEN) };
            format!("{first} {middle} {family}")
        }
        _ => format!("{first} {family}"),
    };
    // Typed on a form that said "in capital letters".
    if dice.per_mille(300) { name.to_uppercase() } else { name }
}

/// First and last name as the core splits a full name; a single name counts as both.
pub(super) fn split(full_name: &str) -> (String, String) {
    let trimmed = full_name.trim();
    match trimmed.split_once(char::is_whitespace) {
        Some((first, last)) => (first.to_owned(), last.trim_start().to_owned()),
        None => (trimmed.to_owned(), trimmed.to_owned()),
    }
}
