//! Member ids that look like any version 4 UUID and lead back to the row they were made for.
//!
//! A million members then need no index from id to row: the low 62 bits are the row's number sent
//! through a bijection, the rest is a hash of them, so that an id of another seed is recognised.

use uuid::{Builder, Uuid};

use super::dice::{Dice, scramble};

const MASK: u64 = (1 << 62) - 1;
const FACTOR: u64 = 0x1b87_3593_cc9e_2d51 & MASK;
const INVERSE: u64 = inverse(FACTOR);
/// Rows of one church; the numbers above it are members created while the simulation runs.
const ROW_BITS: u32 = 40;
/// Set in the row number of a member that was created, not generated.
const CREATED: u64 = 1 << (ROW_BITS - 1);

/// Where a member comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Row of the generator.
    Generated(u64),
    /// The n-th member that was created.
    Created(u64),
}

/// The id of a church's member.
pub(super) fn encode(seed: u64, church: usize, origin: Origin) -> String {
    let row = match origin {
        Origin::Generated(row) => row,
        Origin::Created(number) => number | CREATED,
    };
    let low = mix(((church as u64) << ROW_BITS) | row, seed);
    Uuid::from_u64_pair(high_half(low, seed), low | (1 << 63)).to_string()
}

/// The church and row of an id that [`encode`] made with this seed.
pub(super) fn decode(seed: u64, id: &str) -> Option<(usize, Origin)> {
    let (_, low) = Uuid::try_parse(id).ok()?.as_u64_pair();
    let number = unmix(low & MASK, seed);
    let church = usize::try_from(number >> ROW_BITS).ok()?;
    let row = number & ((1 << ROW_BITS) - 1);
    let origin =
        if row & CREATED == 0 { Origin::Generated(row) } else { Origin::Created(row & !CREATED) };
    // Also refuses every spelling but the canonical one, and ids that are not ours.
    (encode(seed, church, origin) == id).then_some((church, origin))
}

/// An id of something that need not be found again.
pub(super) fn random(dice: &mut Dice) -> String {
    let (high, low) = (dice.roll().to_be_bytes(), dice.roll().to_be_bytes());
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high);
    bytes[8..].copy_from_slice(&low);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Hash of the low half, with the version nibble of a random UUID.
fn high_half(low: u64, seed: u64) -> u64 {
    (scramble(low ^ scramble(seed)) & !0xf000) | 0x4000
}

fn mix(number: u64, seed: u64) -> u64 {
    let mut value = (number ^ scramble(seed)) & MASK;
    for _ in 0..2 {
        value = value.wrapping_mul(FACTOR) & MASK;
        value ^= value >> 31;
    }
    value
}

fn unmix(mixed: u64, seed: u64) -> u64 {
    let mut value = mixed;
    for _ in 0..2 {
        // A shift by half the width undoes itself.
        value ^= value >> 31;
        value = value.wrapping_mul(INVERSE) & MASK;
    }
    (value ^ scramble(seed)) & MASK
}

/// The inverse of an odd number modulo 2^62, by Newton's iteration: each step doubles the bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse & MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_row() {
        for church in [0, 1, 999] {
            for row in [0, 1, 2, 1_000_000, (1 << 39) - 1] {
                for origin in [Origin::Generated(row), Origin::Created(row)] {
                    let id = encode(7, church, origin);
                    assert_eq!(decode(7, &id), Some((church, origin)), "{id}");
                    assert_eq!(Uuid::try_parse(&id).map(|id| id.get_version_num()), Ok(4));
                }
            }
        }
    }

    #[test]
    fn other_ids_are_nobodys() {
        let id = encode(7, 0, Origin::Generated(5));
        assert_eq!(decode(8, &id), None);
        assert_eq!(decode(7, &id.to_uppercase()), None);
        assert_eq!(decode(7, "2496441d-cbf4-4821-bb59-1b705c296cf1"), None);
        assert_eq!(decode(7, "nope"), None);
    }
}
