//! In which partition a key lies: that of the Java client, which every producer of the topic uses.

use std::collections::BTreeSet;

/// The partitions in which a key may be, in their order: that of each number of partitions which
/// the topic has or has had. Where the past is not known (`past` is empty) it may have been any
/// smaller one.
pub fn partitions_of(key: &[u8], present: i32, past: &[i32]) -> Vec<i32> {
    let hash = murmur2(key) & 0x7fff_ffff;
    let place = |count: i32| (hash % count.unsigned_abs().max(1)).cast_signed();
    let counts: Vec<i32> =
        if past.is_empty() { (1..=present).collect() } else { [past, &[present]].concat() };
    let places: BTreeSet<i32> = counts.into_iter().filter(|count| *count > 0).map(place).collect();
    // A partition that is not there cannot be read: the topic was made anew, with fewer.
    places.into_iter().filter(|place| *place < present).collect()
}

/// The hash of `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = bytes.len() as u32;
    let mut hash = 0x9747_b28c ^ length;
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    for (index, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn the_hash_is_that_of_kafka() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn each_number_of_partitions_has_its_place_for_a_key() {
        let place = |count: i32| (murmur2(b"abc") & 0x7fff_ffff) as i32 % count;
        assert_eq!(partitions_of(b"abc", 12, &[12]), [place(12)]);
        let mut places = vec![place(6), place(12)];
        places.sort_unstable();
        places.dedup();
        assert_eq!(partitions_of(b"abc", 12, &[6]), places);
    }

    #[test]
    fn with_an_unknown_past_it_may_have_been_any_smaller_number() {
        assert_eq!(partitions_of(b"abc", 1, &[]), [0]);
        let places = partitions_of(b"abc", 6, &[]);
        for count in 1..=6 {
            assert!(partitions_of(b"abc", count, &[count]).iter().all(|p| places.contains(p)));
        }
        // Among those that are there.
        assert_eq!(partitions_of(b"abc", 1, &[100]), [0]);
    }
}
