//! The algorithms by name. What each does stands in [`crate::selection`].

/// How a member is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// Each active member in turn.
    RoundRobin = 0,
    /// Any active member.
    Random = 1,
    /// In proportion to the weights, evenly also over short runs.
    Weight = 2,
    /// The first usable one by falling priority.
    Serial = 3,
    /// The lowest load (calls against capacity); looks at every active member.
    LeastCalls = 4,
    /// The less loaded of two random ones ("power of two choices").
    P2c = 5,
    /// Of two random ones the one whose answers take less time, times what it carries.
    Latency = 6,
    /// By a key: weighted, and a change moves only the keys that it must.
    Hash = 7,
    /// As [`Self::Hash`], but past members that carry more than 1.25 times their share of the calls.
    BoundedHash = 8,
    /// By a key, which stays where it is while any of its calls lives.
    Sticky = 9,
    /// All at once, beginning with each in turn.
    Fork = 10,
}

impl Algorithm {
    /// All of them, by their numbers.
    pub const ALL: [Self; 11] = [
        Self::RoundRobin,
        Self::Random,
        Self::Weight,
        Self::Serial,
        Self::LeastCalls,
        Self::P2c,
        Self::Latency,
        Self::Hash,
        Self::BoundedHash,
        Self::Sticky,
        Self::Fork,
    ];
    /// What `ks_select_dst(pool)` uses.
    pub const DEFAULT: Self = Self::RoundRobin;

    /// Whether it chooses by a key.
    #[must_use]
    #[inline]
    pub const fn has_key(self) -> bool {
        matches!(self, Self::Hash | Self::BoundedHash | Self::Sticky)
    }

    /// Whether a selection is more than choosing one member.
    #[must_use]
    #[inline]
    pub const fn is_apart(self) -> bool {
        matches!(self, Self::Sticky | Self::Fork)
    }

    /// Its name in the script.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::Weight => "weight",
            Self::Serial => "serial",
            Self::LeastCalls => "least_calls",
            Self::P2c => "p2c",
            Self::Latency => "latency",
            Self::Hash => "hash",
            Self::Sticky => "sticky",
            Self::BoundedHash => "bounded_hash",
            Self::Fork => "fork",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().as_bytes() == name)
    }

    /// The algorithm of that number ([`Self::ALL`]).
    #[must_use]
    pub fn from_number(number: usize) -> Option<Self> {
        Self::ALL.get(number).copied()
    }

    /// The names, for an error message.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}
