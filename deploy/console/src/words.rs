//! Every word that a page has, in each language.

use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Language {
    #[default]
    English,
    Indonesian,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Indonesian];

    /// As HTML and accounts name it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Indonesian => "id",
        }
    }

    /// As its speakers call it.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Indonesian => "Bahasa Indonesia",
        }
    }

    pub(crate) fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// The first that a browser asks for and that there is.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut wanted: Vec<(f32, Self)> = accepted
            .unwrap_or_default()
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let tag = parts.next()?.split('-').next()?.to_lowercase();
                // The old code of Indonesian, which some systems still send.
                let language = Self::parse(if tag == "in" { "id" } else { &tag })?;
                let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
                Some((weight.unwrap_or(1.0), language))
            })
            .filter(|(weight, _)| *weight > 0.0)
            .collect();
        wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        wanted.first().map(|(_, language)| *language).unwrap_or_default()
    }

    fn source(self) -> &'static str {
        match self {
            Self::English => include_str!("../words/en.ftl"),
            Self::Indonesian => include_str!("../words/id.ftl"),
        }
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 2]> = LazyLock::new(|| Language::ALL.map(bundle));

fn bundle(language: Language) -> Bundle {
    let mut bundle = Bundle::new_concurrent(language.code().parse().into_iter().collect());
    // What comes from outside has no characters that turn text around: `safe_text`.
    bundle.set_use_isolating(false);
    // A file with an error in it is found by the test; what is readable of it is used.
    let resource = FluentResource::try_new(language.source().to_owned());
    bundle.add_resource_overriding(resource.unwrap_or_else(|(readable, _)| readable));
    bundle
}

impl Language {
    /// Words without variables.
    pub(crate) fn t(self, key: &str) -> String {
        self.format(key, None)
    }

    /// Words about one thing.
    pub(crate) fn about(self, key: &str, name: &'static str, value: &str) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set(name, value.to_owned());
        self.format(key, Some(&arguments))
    }

    /// Words about a number: the form that it asks for, and the number as it is written in the language.
    pub(crate) fn counted(self, key: &str, count: i64) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("count", FluentValue::from(count));
        arguments.set("shown", self.number(count));
        self.format(key, Some(&arguments))
    }

    /// `1,203`, `1.203`
    pub(crate) fn number(self, number: i64) -> String {
        let separator = if self == Self::English { ',' } else { '.' };
        let digits = number.unsigned_abs().to_string();
        let mut shown = if number < 0 { "-".to_owned() } else { String::new() };
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                shown.push(separator);
            }
            shown.push(digit);
        }
        shown
    }

    /// With one digit behind the comma where it is small.
    pub(crate) fn decimal(self, number: f64) -> String {
        if number >= 100.0 || number.fract() == 0.0 {
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rates are far from the end of i64"
            )]
            return self.number(number.round() as i64);
        }
        let shown = format!("{number:.1}");
        if self == Self::English { shown } else { shown.replace('.', ",") }
    }

    /// The key itself where there are no words: never an empty page.
    fn format(self, key: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let bundle = &BUNDLES[self as usize];
        let pattern = bundle.get_message(key).and_then(|message| message.value());
        let Some(pattern) = pattern else { return key.to_owned() };
        bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        path::Path,
    };

    use super::*;

    /// The keys of a file, each with its variables.
    fn keys(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        assert!(FluentResource::try_new(language.source().to_owned()).is_ok(), "{language:?}");
        let mut keys = BTreeMap::new();
        let mut current = None;
        for line in language.source().lines() {
            if let Some((key, _)) =
                line.split_once(" =").filter(|_| line.starts_with(char::is_alphabetic))
            {
                assert!(
                    keys.insert(key.to_owned(), BTreeSet::new()).is_none(),
                    "{key} is there twice"
                );
                current = Some(key.to_owned());
            }
            let variables = line.split('$').skip(1).map(|rest| {
                let end = rest.find(|letter: char| !letter.is_alphanumeric());
                rest[..end.unwrap_or(rest.len())].to_owned()
            });
            if let Some(key) = &current {
                keys.get_mut(key).unwrap().extend(variables);
            }
        }
        keys
    }

    /// Everything that may name a key.
    fn sources(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_words_and_all_are_used() {
        let english = keys(Language::English);
        assert_eq!(english, keys(Language::Indonesian));
        let (mut text, root) = (String::new(), Path::new(env!("CARGO_MANIFEST_DIR")));
        sources(&root.join("src"), &mut text);
        sources(&root.join("templates"), &mut text);
        let is_used = |key: &str| {
            // Those of problems, causes and statuses are made from the words of the product.
            text.contains(&format!("\"{key}\""))
                || ["problem-", "cause-", "status-", "program-"]
                    .iter()
                    .any(|made| key.starts_with(made))
        };
        let unused: Vec<_> = english.keys().filter(|key| !is_used(key)).collect();
        assert!(unused.is_empty(), "{unused:?}");
        // What a template or a screen asks for is there.
        for part in text.split(".t(\"").skip(1) {
            let key = part.split('"').next().unwrap();
            assert!(english.contains_key(key), "there are no words for {key}");
        }
    }

    #[test]
    fn the_products_own_words_have_a_meaning() {
        let english = keys(Language::English);
        let kinds = status::ProblemKind::ALL.iter().map(|kind| kind.as_str());
        let mut wanted: Vec<String> = kinds
            .flat_map(|kind| [format!("problem-{kind}"), format!("problem-{kind}-do")])
            .collect();
        let of = |prefix: &str, texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| format!("{prefix}-{text}")).collect()
        };
        wanted.extend(of("status", &store::DeliveryStatus::ALL.map(store::DeliveryStatus::as_str)));
        wanted.extend(of(
            "status",
            &store::DeadLetterStatus::ALL.map(store::DeadLetterStatus::as_str),
        ));
        wanted.extend(of("status", &store::RunStatus::ALL.map(store::RunStatus::as_str)));
        wanted.extend(of(
            "cause",
            &[
                "member_not_found",
                "core_unavailable",
                "core_rejected_login",
                "core_forbidden",
                "core_bad_response",
                "wrong_church",
                "sync_disabled",
                "invalid_event",
                "database",
                "poison",
            ],
        ));
        for key in wanted {
            assert!(english.contains_key(&key), "there are no words for {key}");
        }
    }

    #[test]
    fn numbers_are_written_as_in_the_language() {
        assert_eq!(Language::English.number(1_234_567), "1,234,567");
        assert_eq!(Language::Indonesian.number(-1203), "-1.203");
        assert_eq!(Language::Indonesian.decimal(3.26), "3,3");
        assert_eq!(Language::English.decimal(1203.5), "1,204");
    }

    #[test]
    fn the_browsers_language_is_taken_where_there_is_one() {
        let accepted = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, text.parse().unwrap());
            Language::accepted(&headers).code()
        };
        assert_eq!(accepted("id-ID,id;q=0.9,en;q=0.8"), "id");
        assert_eq!(accepted("en;q=0.5, in"), "id");
        assert_eq!(accepted("fr, de;q=0.1"), "en");
        assert_eq!(accepted("id;q=0, en;q=x"), "en");
    }
}
