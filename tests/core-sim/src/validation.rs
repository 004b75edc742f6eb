//! Query parameters, and the 422 that the core answers for bad ones.

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};

use super::reply::{self, Reply};

/// What is wrong with a request, in the recorded form.
#[derive(Debug, Serialize)]
pub(super) struct Complaint {
    #[serde(rename = "type")]
    kind: &'static str,
    loc: [&'static str; 2],
    msg: String,
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
    url: String,
}

impl Complaint {
    pub(super) fn new(
        kind: &'static str,
        loc: [&'static str; 2],
        msg: impl Into<String>,
        input: Value,
    ) -> Self {
        let url = format!("https://errors.pydantic.dev/2.14/v/{kind}");
        Self { kind, loc, msg: msg.into(), input, ctx: None, url }
    }

    fn with_context(mut self, ctx: Value) -> Self {
        self.ctx = Some(ctx);
        self
    }
}

/// The answer that lists the complaints.
pub(super) fn refusal(complaints: &[Complaint]) -> Reply {
    reply::json(422, &json!({ "detail": complaints }))
}

/// The parameters of a query string, decoded, in order.
pub(super) fn query(query: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

/// The last value of a parameter, which is the one that counts.
pub(super) fn parameter<'a>(query: &'a [(String, String)], key: &str) -> Option<&'a str> {
    query.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// A whole number within bounds; anything else adds a complaint.
pub(super) fn whole_number(
    query: &[(String, String)],
    key: &'static str,
    default: u64,
    least: i64,
    most: Option<i64>,
    complaints: &mut Vec<Complaint>,
) -> u64 {
    let Some(text) = parameter(query, key) else { return default };
    let loc = ["query", key];
    let input = Value::from(text);
    let complaint = match text.trim().parse::<i64>() {
        Err(_) => Complaint::new(
            "int_parsing",
            loc,
            "Input should be a valid integer, unable to parse string as an integer",
            input,
        ),
        Ok(number) if number < least => {
            let msg = format!("Input should be greater than or equal to {least}");
            Complaint::new("greater_than_equal", loc, msg, input)
                .with_context(json!({ "ge": least }))
        }
        Ok(number) => match most {
            Some(most) if number > most => {
                let msg = format!("Input should be less than or equal to {most}");
                Complaint::new("less_than_equal", loc, msg, input)
                    .with_context(json!({ "le": most }))
            }
            _ => return u64::try_from(number).unwrap_or(default),
        },
    };
    complaints.push(complaint);
    default
}

/// A boolean, in any of the spellings that the core takes.
pub(super) fn boolean(
    query: &[(String, String)],
    key: &'static str,
    complaints: &mut Vec<Complaint>,
) -> Option<bool> {
    let text = parameter(query, key)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "t" | "y" | "yes" => Some(true),
        "false" | "0" | "off" | "f" | "n" | "no" => Some(false),
        _ => {
            complaints.push(Complaint::new(
                "bool_parsing",
                ["query", key],
                "Input should be a valid boolean, unable to interpret input",
                text.into(),
            ));
            None
        }
    }
}
