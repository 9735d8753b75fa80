//! The predictors of TIFF: differences along rows.

/// Undoes horizontal differencing in place. `run` values a row, `samples` a pixel, `item` bytes a value.
pub fn horizontal(values: &mut [u8], run: usize, samples: usize, item: usize) {
    let row = run.saturating_mul(item).max(1);
    macro_rules! sum {
        ($type:ty, $size:literal) => {
            for row in values.chunks_mut(row) {
                let (row, _) = row.as_chunks_mut::<$size>();
                for i in samples..row.len() {
                    let sum =
                        <$type>::from_ne_bytes(row[i - samples]).wrapping_add(<$type>::from_ne_bytes(row[i]));
                    row[i] = sum.to_ne_bytes();
                }
            }
        };
    }
    match item {
        1 => sum!(u8, 1),
        2 => sum!(u16, 2),
        4 => sum!(u32, 4),
        8 => sum!(u64, 8),
        _ => {}
    }
}

/// Undoes the floating-point predictor: rows of byte planes, most significant first, with differences along the row.
pub fn floating(bytes: &[u8], run: usize, samples: usize, item: usize) -> Vec<u8> {
    let mut out = vec![0; bytes.len()];
    let mut sums = vec![0u8; run.saturating_mul(item)];
    for (row, to) in bytes.chunks(sums.len().max(1)).zip(out.chunks_mut(sums.len().max(1))) {
        for (i, byte) in row.iter().enumerate() {
            let before = i.checked_sub(samples).and_then(|i| sums.get(i)).copied().unwrap_or(0);
            if let Some(sum) = sums.get_mut(i) {
                *sum = byte.wrapping_add(before);
            }
        }
        for (i, value) in to.chunks_exact_mut(item.max(1)).enumerate() {
            for (plane, byte) in value.iter_mut().enumerate() {
                let plane = if cfg!(target_endian = "big") { plane } else { item - 1 - plane };
                *byte = sums.get(plane * run + i).copied().unwrap_or(0);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn differences_are_summed_per_sample() {
        let mut values = vec![1, 10, 1, 1, 255, 0, 5, 5, 1, 1, 1, 1];
        super::horizontal(&mut values, 6, 2, 1);
        assert_eq!(values, [1, 10, 2, 11, 1, 11, 5, 5, 6, 6, 7, 7]);
    }

    #[test]
    fn floats_come_back_from_their_byte_planes() {
        let values = [1.5f32, 1.5, 2.5];
        let mut planes: Vec<u8> = (0..4).flat_map(|p| values.map(|v| v.to_be_bytes()[p])).collect();
        for i in (1..planes.len()).rev() {
            planes[i] = planes[i].wrapping_sub(planes[i - 1]);
        }
        let back = super::floating(&planes, 3, 1, 4);
        assert_eq!(back, values.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<_>>());
    }
}
