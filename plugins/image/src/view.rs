//! How values become colours: what the request says, else as Tiled shows them.
//!
//! Words of the query (or parameters of the media type): `percentiles=LOW,HIGH` or `range=LOW,HIGH` are black and white,
//! `scale=linear|log|sqrt` what lies between, `colors=NAME` a colour map (`viridis`, `magma`, `inferno`, `plasma`; `_r` behind
//! the name turns it round).

use tiled_plugin_api::prelude::{EncodeRequest, Error, ErrorKind, Result};

/// Which value is black or white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// So many of a hundred finite values are below it.
    Percentile(f64),
    /// This one.
    Value(f64),
}

/// How grey grows between black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    Linear,
    /// With the logarithm; small values are told apart.
    Log,
    Sqrt,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct View {
    pub low: Bound,
    pub high: Bound,
    pub curve: Curve,
    /// 256 colours, where the picture has some.
    pub colors: Option<Vec<[u8; 3]>>,
}

impl Default for View {
    fn default() -> Self {
        View {
            low: Bound::Percentile(1.0),
            high: Bound::Percentile(99.0),
            curve: Curve::Linear,
            colors: None,
        }
    }
}

/// Matplotlib's maps, which are in the public domain (CC0): a name, then the colours of 256 levels.
const MAPS: &str = include_str!("colors.txt");

impl View {
    /// What a request asks for.
    ///
    /// # Errors
    /// `InvalidArgument` naming the word that is wrong.
    pub fn of(request: &EncodeRequest) -> Result<Self> {
        let mut view = View::default();
        if let Some(text) = request.parameter("percentiles") {
            let (low, high) =
                pair(text).filter(|(low, high)| *low >= 0.0 && *high <= 100.0).ok_or_else(|| {
                    invalid(format!("percentiles={text}: two numbers from 0 to 100 expected, as 1,99"))
                })?;
            (view.low, view.high) = (Bound::Percentile(low), Bound::Percentile(high));
        }
        if let Some(text) = request.parameter("range") {
            let (low, high) = pair(text)
                .ok_or_else(|| invalid(format!("range={text}: two numbers expected, as 0,1000")))?;
            (view.low, view.high) = (Bound::Value(low), Bound::Value(high));
        }
        view.curve = match request.parameter("scale") {
            None | Some("linear") => Curve::Linear,
            Some("log") => Curve::Log,
            Some("sqrt") => Curve::Sqrt,
            Some(other) => return Err(invalid(format!("scale={other}: linear, log or sqrt expected"))),
        };
        if let Some(name) = request.parameter("colors").filter(|name| *name != "gray") {
            let colors = colors(name).ok_or_else(|| {
                let names: Vec<&str> = MAPS.lines().filter(|line| is_name(line)).collect();
                invalid(format!("colors={name}: gray, {} expected, or one of them with _r", names.join(", ")))
            })?;
            view.colors = Some(colors);
        }
        Ok(view)
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// Two finite numbers, the second larger.
fn pair(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once(',')?;
    let (low, high): (f64, f64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low.is_finite() && high.is_finite() && low < high).then_some((low, high))
}

fn is_name(line: &str) -> bool {
    line.len() < 60 && !line.is_empty() && line.bytes().any(|b| !b.is_ascii_hexdigit())
}

fn colors(name: &str) -> Option<Vec<[u8; 3]>> {
    let (name, is_reversed) = name.strip_suffix("_r").map_or((name, false), |name| (name, true));
    let mut lines = MAPS.lines().skip_while(|line| *line != name);
    lines.next()?;
    let digits: String = lines.take_while(|line| !is_name(line)).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.as_bytes().as_chunks::<2>().0.iter().filter_map(|pair| byte(pair)).collect();
    let mut colors = bytes.as_chunks::<3>().0.to_vec();
    if is_reversed {
        colors.reverse();
    }
    (colors.len() == 256).then_some(colors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_have_all_their_colours() {
        let viridis = colors("viridis").unwrap();
        assert_eq!((viridis[0], viridis[255]), ([68, 1, 84], [253, 231, 36]));
        assert_eq!(colors("viridis_r").unwrap()[0], viridis[255]);
        for name in ["magma", "inferno", "plasma"] {
            assert!(colors(name).is_some(), "{name}");
        }
        assert_eq!(colors("jet"), None);
    }
}
