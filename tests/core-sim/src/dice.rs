//! Deterministic chance.
//!
//! Written here instead of taken from `rand`, because the same seed must give the same members for
//! ever: a random number generator of a library may change its stream with any release.

/// A stream of numbers that depends on its parts alone.
pub(super) struct Dice(u64);

impl Dice {
    /// The stream of these parts: seed, church, row, purpose.
    pub(super) fn new(parts: &[u64]) -> Self {
        Self(
            parts
                .iter()
                .fold(0x9e37_79b9_7f4a_7c15, |state, part| scramble(state ^ scramble(*part))),
        )
    }

    /// The next number (SplitMix64).
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number smaller than `end`; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // Multiply and shift: no modulo, and no loop that could make two streams drift apart.
        u64::try_from((u128::from(self.roll()) * u128::from(end)) >> 64).unwrap_or(0)
    }

    /// A number from `start` up to and with `last`.
    pub(super) fn between(&mut self, start: u64, last: u64) -> u64 {
        start + self.below(last.saturating_sub(start) + 1)
    }

    /// True in `share` of a thousand cases.
    pub(super) fn per_mille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// One of the choices.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        const { assert!(N > 0, "nothing to choose from") };
        let index = usize::try_from(self.below(N as u64)).unwrap_or(0);
        choices[index.min(N - 1)]
    }

    /// True with the probability `rate`, a share of 1.
    pub(super) fn chance(&mut self, rate: f64) -> bool {
        rate >= 1.0
            || f64::from(u32::try_from(self.below(1 << 32)).unwrap_or(0)) < rate * 4_294_967_296.0
    }
}

/// The finalizer of SplitMix64: every input bit reaches every output bit.
pub(super) const fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
