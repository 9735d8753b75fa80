//! From a type of HDF5 to a type that is served.

use tiled_plugin_api::prelude::*;

use super::{
    json,
    raw::{Class, Member, Order, Pad, TypeInfo},
};

/// How the bytes of one element become what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    /// The type that is served.
    pub(crate) data_type: DataType,
    /// Axes of an array type, served as further axes of the dataset.
    pub(crate) axes: Vec<u64>,
    /// Bytes in the file (or, when `native`, in the native type).
    pub(crate) stored: usize,
    /// What to do with them.
    pub(crate) form: Form,
    /// libhdf5 must convert to the native type first.
    pub(crate) native: bool,
}

/// What to do with stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// They are served as they are.
    Same,
    /// Parts move, and texts lose what follows their end.
    Moves(Vec<Move>),
    /// They lead to a text of any length.
    Text,
}

/// Bytes of a stored element that go to a served one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Bytes of one part.
    pub(crate) len: usize,
    /// Parts, one behind the other on both sides.
    pub(crate) count: usize,
    /// For texts: how they end in the file.
    pub(crate) pad: Option<Pad>,
}

/// Why a type is not served as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// After a conversion by libhdf5 it may be.
    Convert,
    /// Never.
    Unsupported(&'static str),
}

/// More parts than this are refused: the type is forged.
const MAX_MOVES: usize = 1 << 14;

impl Element {
    /// The element of this type.
    pub(crate) fn of(info: &TypeInfo) -> Result<Element, Refusal> {
        if info.class == Class::VariableText {
            let data_type = DataType::native(Kind::Bytes, 1);
            return Ok(Element { data_type, axes: vec![], stored: 0, form: Form::Text, native: false });
        }
        let mut moves = vec![];
        let (data_type, axes) = part(info, Place { from: 0, to: 0 }, &mut moves)?;
        let moves = joined(moves);
        let same =
            matches!(&moves[..], [m] if m.pad.is_none() && m.from == 0 && m.len * m.count == info.size);
        let form = if same { Form::Same } else { Form::Moves(moves) };
        Ok(Element { data_type, axes, stored: info.size, form, native: false })
    }

    /// Bytes of one served element, array type included; `None` when that overflows.
    pub(crate) fn served(&self) -> Option<usize> {
        let size = usize::try_from(self.data_type.itemsize()).ok()?;
        self.axes.iter().try_fold(size, |all, n| all.checked_mul(usize::try_from(*n).ok()?))
    }
}

#[derive(Clone, Copy)]
struct Place {
    from: usize,
    to: usize,
}

type Part = Result<(DataType, Vec<u64>), Refusal>;

fn part(info: &TypeInfo, at: Place, moves: &mut Vec<Move>) -> Part {
    let mut plain = |data_type: DataType| {
        moves.push(Move { from: at.from, to: at.to, len: info.size, count: 1, pad: None });
        Ok((data_type, vec![]))
    };
    let size = info.size as u64;
    match &info.class {
        Class::Integer { signed, order, plain: true } => {
            plain(DataType::ordered(if *signed { Kind::Int } else { Kind::Uint }, size, endianness(*order)?))
        }
        Class::Bits(order) if matches!(size, 1 | 2 | 4 | 8) => {
            plain(DataType::ordered(Kind::Uint, size, endianness(*order)?))
        }
        Class::Integer { .. } | Class::Bits(_) => Err(Refusal::Convert),
        Class::Float { .. } => plain(float(info)?),
        Class::Complex(half) => plain(complex(half)?),
        Class::Text(pad) => {
            let pad = (*pad != Pad::Nul).then_some(*pad);
            moves.push(Move { from: at.from, to: at.to, len: info.size, count: 1, pad });
            Ok((DataType::native(Kind::Bytes, size), vec![]))
        }
        Class::Opaque(tag) => plain(opaque(tag, size)),
        Class::Enum(base, members) if json::is_bool(base, members) && base.size == 1 => {
            plain(DataType::native(Kind::Bool, 1))
        }
        Class::Enum(base, _) => part(base, at, moves),
        Class::Compound(members) => match json::complex_parts(members) {
            Some(half) if info.size == 2 * half.size && complex(half).is_ok() => plain(complex(half)?),
            _ => compound(members, at, moves),
        },
        Class::Array(dims, base) => array(dims, base, at, moves),
        Class::VariableText => {
            Err(Refusal::Unsupported("text of variable length inside a compound or array type"))
        }
        Class::Variable(_) => Err(Refusal::Unsupported("lists of variable length")),
        Class::Reference => Err(Refusal::Unsupported("references")),
        Class::Other => Err(Refusal::Unsupported("a data type without a NumPy form")),
    }
}

fn endianness(order: Order) -> Result<Endianness, Refusal> {
    match order {
        Order::Little => Ok(Endianness::Little),
        Order::Big => Ok(Endianness::Big),
        Order::Odd => Err(Refusal::Convert),
    }
}

fn float(info: &TypeInfo) -> Result<DataType, Refusal> {
    let Class::Float { order, fields, .. } = &info.class else { return Err(Refusal::Convert) };
    let ieee = match (info.size, fields) {
        (2, [15, 10, 5, 0, 10, 15]) | (4, [31, 23, 8, 0, 23, 127]) | (8, [63, 52, 11, 0, 52, 1023]) => true,
        // The long double of x86: 80 bits in 16 bytes.
        (16, [79, 64, 15, 0, 64, 16383]) => *order == Order::Little,
        _ => false,
    };
    if !ieee {
        return Err(Refusal::Convert);
    }
    Ok(DataType::ordered(Kind::Float, info.size as u64, endianness(*order)?))
}

fn complex(half: &TypeInfo) -> Result<DataType, Refusal> {
    let half = float(half)?;
    // NumPy has no complex number of two halves.
    if half.itemsize() < 4 {
        return Err(Refusal::Unsupported("complex numbers of half precision"));
    }
    Ok(DataType::ordered(Kind::Complex, 2 * half.itemsize(), half.endianness()))
}

/// h5py keeps what NumPy type it was in the tag: `NUMPY:<M8[ns]`.
fn opaque(tag: &str, size: u64) -> DataType {
    let kept = tag.strip_prefix("NUMPY:").and_then(DataType::from_numpy_str);
    kept.filter(|t| t.itemsize() == size).unwrap_or_else(|| DataType::native(Kind::Void, size))
}

fn compound(members: &[Member], at: Place, moves: &mut Vec<Move>) -> Part {
    let mut fields = Vec::with_capacity(members.len());
    let mut to = at.to;
    for member in members {
        let from = at.from + member.offset;
        let (dtype, axes) = part(&member.info, Place { from, to }, moves)?;
        let shape = (!axes.is_empty()).then_some(axes);
        let field = Field { name: member.name.clone(), dtype, shape };
        to += usize::try_from(field.nbytes()).map_err(|_| Refusal::Unsupported("a record of that size"))?;
        fields.push(field);
    }
    Ok((DataType::record(fields), vec![]))
}

fn array(dims: &[u64], base: &TypeInfo, at: Place, moves: &mut Vec<Move>) -> Part {
    const TOO_MANY: Refusal = Refusal::Unsupported("an array type of that size");
    let count = dims.iter().try_fold(1_u64, |all, n| all.checked_mul(*n));
    let count = count.and_then(|n| usize::try_from(n).ok()).ok_or(TOO_MANY)?;
    let mut inner = vec![];
    let (data_type, axes) = part(base, Place { from: 0, to: 0 }, &mut inner)?;
    let inner = joined(inner);
    let each = axes.iter().try_fold(data_type.itemsize(), |all, n| all.checked_mul(*n));
    let each = each.and_then(|n| usize::try_from(n).ok()).ok_or(TOO_MANY)?;
    match &inner[..] {
        [one] if one.from == 0 && one.to == 0 && one.len * one.count == base.size => moves.push(Move {
            from: at.from,
            to: at.to,
            count: one.count.checked_mul(count).ok_or(TOO_MANY)?,
            ..one.clone()
        }),
        _ => {
            let all = inner.len().checked_mul(count).filter(|n| *n <= MAX_MOVES);
            all.ok_or(TOO_MANY)?;
            for i in 0..count {
                let (from, to) = (at.from + i * base.size, at.to + i * each);
                moves.extend(inner.iter().map(|m| Move { from: m.from + from, to: m.to + to, ..m.clone() }));
            }
        }
    }
    Ok((data_type, dims.iter().copied().chain(axes).collect()))
}

/// Neighbouring plain moves become one.
fn joined(moves: Vec<Move>) -> Vec<Move> {
    let mut all: Vec<Move> = Vec::with_capacity(moves.len());
    for mut next in moves {
        if next.pad.is_none() {
            (next.len, next.count) = (next.len * next.count, 1);
        }
        match all.last_mut() {
            Some(last)
                if last.pad.is_none()
                    && next.pad.is_none()
                    && last.from + last.len == next.from
                    && last.to + last.len == next.to =>
            {
                last.len += next.len;
            }
            _ => all.push(next),
        }
    }
    all
}

/// Makes the served bytes of many elements out of their stored bytes.
pub(crate) fn apply(moves: &[Move], stored: usize, served: usize, from: &[u8], out: &mut [u8]) {
    for (element, place) in from.chunks_exact(stored.max(1)).zip(out.chunks_exact_mut(served.max(1))) {
        for m in moves {
            let bytes = m.len * m.count;
            let (Some(source), Some(target)) =
                (element.get(m.from..m.from + bytes), place.get_mut(m.to..m.to + bytes))
            else {
                continue;
            };
            target.copy_from_slice(source);
            if let Some(pad) = m.pad {
                for text in target.chunks_exact_mut(m.len.max(1)) {
                    let end = json::trimmed(pad, text).len();
                    text[end..].fill(0);
                }
            }
        }
    }
}
