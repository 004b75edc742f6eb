//! How long ago, roughly, in words.

use chrono::{DateTime, TimeDelta, Utc};

/// How long ago a moment was, roughly: `12s`, `3m`, `5h`, `2d`.
pub fn age(moment: DateTime<Utc>) -> String {
    rough(Utc::now().signed_duration_since(moment))
}

/// A duration in its largest unit.
pub fn rough(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_rough() {
        let shown = |seconds| rough(TimeDelta::seconds(seconds));
        assert_eq!(
            ["0s", "119s", "2m", "119m", "2h", "47h", "2d"],
            [-5, 119, 120, 7_199, 7_200, 172_799, 172_800]
                .map(shown)
                .each_ref()
                .map(String::as_str)
        );
    }
}
