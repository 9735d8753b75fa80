//! Entropy-coded scans: from bits to coefficients.

use super::{
    Outcome,
    bits::Bits,
    damaged,
    frame::Frame,
    huffman::Table,
    stream::{Stream, ZIGZAG},
};

/// A component's part in a scan.
struct Part {
    component: usize,
    dc: Option<Table>,
    ac: Option<Table>,
    predictor: i32,
}

/// Which coefficients a scan carries, and which of their bits.
#[derive(Clone, Copy)]
struct Band {
    start: usize,
    end: usize,
    /// 0 in the first scan of these coefficients.
    high: u32,
    low: u32,
}

/// Decodes the scan with this header, whose data begin at `at`; gives where they end.
///
/// # Errors
/// `Damaged`.
pub fn decode(stream: &Stream, frame: &mut Frame, header: &[u8], bytes: &[u8], at: usize) -> Outcome<usize> {
    let (mut parts, band) = parts(stream, frame, header)?;
    let mut bits = Bits::new(bytes, at);
    let mut end_of_band = 0;
    let (across, down) = match parts.as_slice() {
        [one] => frame.components[one.component].blocks,
        _ => frame.mcus(),
    };
    let is_single = parts.len() == 1;
    for mcu in 0..across * down {
        if mcu > 0 && stream.restart_interval > 0 && mcu % stream.restart_interval == 0 {
            bits.restart()?;
            end_of_band = 0;
            parts.iter_mut().for_each(|part| part.predictor = 0);
        }
        let (x, y) = (mcu % across, mcu / across);
        for part in &mut parts {
            let component = &mut frame.components[part.component];
            let (h, v) = if is_single { (1, 1) } else { (component.h, component.v) };
            for i in 0..h * v {
                let (column, row) = (x * h + i % h, y * v + i / h);
                let Some(block) = component.coefficients.get_mut(row * component.stored.0 + column) else {
                    return damaged("a block lies outside");
                };
                if frame.progressive {
                    progressive(&mut bits, part, band, block, &mut end_of_band)?;
                } else {
                    baseline(&mut bits, part, block)?;
                }
            }
        }
        bits.check()?;
    }
    Ok(bits.end())
}

fn parts(stream: &Stream, frame: &mut Frame, header: &[u8]) -> Outcome<(Vec<Part>, Band)> {
    let Some((count, rest)) = header.split_first() else { return damaged("the scan header is cut") };
    let count = usize::from(*count);
    let (Some(selectors), Some(&[start, end, bits])) =
        (rest.get(..count * 2), rest.get(count * 2..count * 2 + 3))
    else {
        return damaged("the scan header is cut");
    };
    let mut parts: Vec<Part> = vec![];
    for [id, tables] in selectors.as_chunks::<2>().0 {
        let found = frame.components.iter().position(|component| component.id == *id);
        let Some(component) = found.filter(|found| parts.iter().all(|part| part.component != *found)) else {
            return damaged("a scan names a component that is not there");
        };
        let table = |tables: &[Option<Table>; 4], id: u8| tables.get(usize::from(id)).cloned().flatten();
        let (dc, ac) = (table(&stream.dc, tables >> 4), table(&stream.ac, tables & 15));
        parts.push(Part { component, dc, ac, predictor: 0 });
        let component = &mut frame.components[component];
        if component.table.is_none() {
            component.table = stream.quantization.get(component.table_id).copied().flatten();
            if component.table.is_none() {
                return damaged("a quantization table is missing");
            }
        }
    }
    let band =
        Band { start: start.into(), end: end.into(), high: u32::from(bits >> 4), low: u32::from(bits & 15) };
    let is_sane = band.start <= band.end
        && band.end < 64
        && band.low <= 13
        && (band.start > 0 || band.end == 0)
        && (band.start == 0 || parts.len() == 1);
    if parts.is_empty() || (frame.progressive && !is_sane) {
        return damaged("the scan header makes no sense");
    }
    Ok((parts, band))
}

fn table(table: &Option<Table>) -> Outcome<&Table> {
    match table {
        Some(table) => Ok(table),
        None => damaged("a Huffman table is missing"),
    }
}

/// The next DC value.
#[inline]
fn dc(bits: &mut Bits<'_>, part: &mut Part) -> Outcome<i32> {
    let size = u32::from(table(&part.dc)?.decode(bits)?);
    if size > 16 {
        return damaged("a DC difference is too large");
    }
    part.predictor = part.predictor.wrapping_add(bits.signed(size));
    Ok(part.predictor)
}

fn baseline(bits: &mut Bits<'_>, part: &mut Part, block: &mut [i16; 64]) -> Outcome<()> {
    block[0] = dc(bits, part)? as i16;
    let table = table(&part.ac)?;
    let mut k = 1;
    while k < 64 {
        let code = table.decode(bits)?;
        let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
        if size == 0 {
            if run != 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        let value = bits.signed(size);
        let Some(natural) = ZIGZAG.get(k) else { return damaged("a block has too many coefficients") };
        block[usize::from(*natural)] = value as i16;
        k += 1;
    }
    Ok(())
}

fn progressive(
    bits: &mut Bits<'_>,
    part: &mut Part,
    band: Band,
    block: &mut [i16; 64],
    end_of_band: &mut u32,
) -> Outcome<()> {
    match (band.start, band.high) {
        (0, 0) => {
            block[0] = dc(bits, part)?.wrapping_shl(band.low) as i16;
            Ok(())
        }
        (0, _) => {
            block[0] |= (bits.take(1) << band.low) as i16;
            Ok(())
        }
        (_, 0) => first_ac(bits, table(&part.ac)?, band, block, end_of_band),
        _ => refine_ac(bits, table(&part.ac)?, band, block, end_of_band),
    }
}

fn first_ac(
    bits: &mut Bits<'_>,
    table: &Table,
    band: Band,
    block: &mut [i16; 64],
    end_of_band: &mut u32,
) -> Outcome<()> {
    if *end_of_band > 0 {
        *end_of_band -= 1;
        return Ok(());
    }
    let mut k = band.start;
    while k <= band.end {
        let code = table.decode(bits)?;
        let (run, size) = (u32::from(code >> 4), u32::from(code & 15));
        if size == 0 {
            if run < 15 {
                *end_of_band = (1 << run) - 1 + bits.take(run);
                break;
            }
            k += 16;
            continue;
        }
        k += run as usize;
        let value = bits.signed(size).wrapping_shl(band.low);
        let Some(natural) = ZIGZAG.get(k) else { return damaged("a block has too many coefficients") };
        block[usize::from(*natural)] = value as i16;
        k += 1;
    }
    Ok(())
}

/// One more bit of coefficients that are known already, and new ones of size 1 between them.
fn refine_ac(
    bits: &mut Bits<'_>,
    table: &Table,
    band: Band,
    block: &mut [i16; 64],
    end_of_band: &mut u32,
) -> Outcome<()> {
    let bit = 1i16 << band.low;
    let mut k = band.start;
    if *end_of_band == 0 {
        while k <= band.end {
            let code = table.decode(bits)?;
            let (mut run, size) = (u32::from(code >> 4), code & 15);
            let mut new = 0;
            match size {
                0 if run < 15 => {
                    *end_of_band = (1 << run) + bits.take(run);
                    break;
                }
                0 => {}
                1 => new = if bits.take(1) == 1 { bit } else { -bit },
                _ => return damaged("a refinement is not of one bit"),
            }
            while k <= band.end {
                let value = &mut block[usize::from(ZIGZAG[k])];
                k += 1;
                if *value != 0 {
                    refine(bits, value, bit);
                } else if run == 0 {
                    *value = new;
                    break;
                } else {
                    run -= 1;
                }
            }
        }
    }
    if *end_of_band > 0 {
        for place in ZIGZAG.get(k..=band.end).unwrap_or_default() {
            let value = &mut block[usize::from(*place)];
            if *value != 0 {
                refine(bits, value, bit);
            }
        }
        *end_of_band -= 1;
    }
    Ok(())
}

#[inline]
fn refine(bits: &mut Bits<'_>, value: &mut i16, bit: i16) {
    if bits.take(1) == 1 && *value & bit == 0 {
        *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
    }
}
