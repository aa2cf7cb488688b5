//! The owners of a pool's rows in as few bits as its members need, for pools that rest. It is only read.

use super::NOBODY;

/// Owners by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    rows: usize,
    /// Bits of one owner; all of them set: nobody.
    width: u32,
    words: Vec<u64>,
}

impl Packed {
    /// These owners, of so many members.
    pub(super) fn of(owners: &[u16], members: usize) -> Self {
        let width = (usize::BITS - members.leading_zeros()).clamp(1, u16::BITS);
        let per_word = (u64::BITS / width) as usize;
        let nobody = (1 << width) - 1;
        let word = |owners: &[u16]| {
            owners.iter().rev().fold(0, |word, owner| {
                word << width | u64::from(*owner).min(nobody)
            })
        };
        Self {
            rows: owners.len(),
            width,
            words: owners.chunks(per_word).map(word).collect(),
        }
    }

    /// The owner's index per row, or [`NOBODY`].
    pub(super) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        let per_word = u64::BITS / self.width.max(1);
        let nobody = (1 << self.width) - 1;
        let places = move |word: &u64| {
            let word = *word;
            let width = self.width;
            (0..per_word).map(move |place| match word >> (place * width) & nobody {
                owner if owner == nobody => NOBODY,
                owner => u16::try_from(owner).unwrap_or(NOBODY),
            })
        };
        self.words.iter().flat_map(places).take(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_the_same_packed_whatever_the_number_of_members() {
        for members in [0, 1, 2, 3, 4, 10, 255, 256, 16_383, 16_384] {
            let last = u16::try_from(members).unwrap().checked_sub(1);
            let owners: Vec<u16> = (0..1024_u16)
                .map(|row| match last {
                    Some(last) if row % 3 > 0 => row.wrapping_mul(17).min(last),
                    _ => NOBODY,
                })
                .collect();
            let packed = Packed::of(&owners, members);
            assert!(packed.iter().eq(owners.iter().copied()), "{members}");
        }
    }
}
