//! Tests of the choice between plugins.

use std::path::Path;

use super::*;
use crate::plugin::inspect::{ReaderClaim, SerializerClaim};

fn plugin(name: &str, mimetypes: &[&str], encodes: &[(&str, &str)]) -> Descriptor {
    Descriptor {
        name: name.into(),
        version: "1".into(),
        abi: String::new(),
        abi_major: 1,
        abi_minor: 0,
        api_version: String::new(),
        panic: "unwind".into(),
        target: String::new(),
        symbol: "s".into(),
        threading: String::new(),
        readers: mimetypes
            .iter()
            .map(|m| ReaderClaim { mimetypes: vec![(*m).into()], ..ReaderClaim::default() })
            .collect(),
        serializers: encodes
            .iter()
            .map(|(family, media_type)| SerializerClaim {
                families: vec![(*family).into()],
                media_types: vec![(*media_type).into()],
                aliases: BTreeMap::new(),
            })
            .collect(),
        writers: vec![],
    }
}

/// The chosen plugin of each mimetype and serializer, and the conflicts.
fn check(plugins: &[(Descriptor, i32)], toml: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let config = PluginsConfig::from_toml(toml, Path::new("x.toml")).unwrap();
    let offers: Vec<Offer<'_>> =
        plugins.iter().map(|(descriptor, priority)| Offer { descriptor, priority: *priority }).collect();
    let choice = choose(&offers, &config, &["gone".to_owned()]);
    let name = |at: &At| plugins[at.0].0.name.clone();
    let readers = choice.readers.iter().map(|(m, at)| (m.clone(), name(&at[0])));
    let serializers = choice.serializers.iter().map(|((f, m), at)| (format!("{f} {m}"), name(at)));
    (readers.chain(serializers).collect(), choice.conflicts.iter().map(ToString::to_string).collect())
}

#[test]
fn two_plugins_that_claim_one_type_are_a_conflict_with_the_line_to_add() {
    let (a, b) = (plugin("a", &["x/y"], &[]), plugin("b", &["X/Y"], &[]));
    let message = "x/y: conflict: claimed by the plugins a and b; add to [formats]: \"x/y\" = \"a\"";
    for order in [[(a.clone(), 0), (b.clone(), 0)], [(b.clone(), 0), (a.clone(), 0)]] {
        let (chosen, conflicts) = check(&order, "");
        assert_eq!((chosen.len(), conflicts), (0, vec![message.to_owned()]));
    }
    let both = [(a.clone(), 0), (b.clone(), 0)];
    assert_eq!(check(&both, "[formats]\n'x/y' = 'b'").0["x/y"], "b", "the line from the message ends it");
    assert_eq!(check(&[(a, 0), (b, 5)], "").0["x/y"], "b", "so does a priority");
}

#[test]
fn serializers_are_chosen_by_the_same_rule() {
    let both =
        [(plugin("a", &[], &[("array", "image/png")]), 0), (plugin("b", &[], &[("array", "image/png")]), 0)];
    let conflicts = check(&both, "").1;
    assert!(conflicts[0].ends_with("add to [formats]: \"array image/png\" = \"a\""), "{conflicts:?}");
    assert_eq!(check(&both, "[formats]\n'array image/png' = 'b'").0["array image/png"], "b");
}

#[test]
fn a_wish_for_a_plugin_that_is_not_there_is_named() {
    let one = [(plugin("a", &["x/y"], &[]), 0)];
    let conflicts = check(&one, "[formats]\n'x/y' = 'q'").1;
    assert_eq!(
        conflicts,
        ["[formats] \"x/y\" = \"q\": conflict: there is no plugin of this name; known are a"]
    );
    let conflicts = check(&one, "[adapters_by_mimetype]\n'x/z' = 'lab.spe:Adapter'").1;
    assert!(conflicts[0].contains("an adapter in Python cannot be loaded"), "{conflicts:?}");
    assert!(check(&one, "[formats]\n'x/z' = 'gone'").1.is_empty(), "its own refusal was told already");
}

#[test]
fn the_adapters_of_tiled_stand_for_what_they_open() {
    let one = [(plugin("hdf5", &["application/x-hdf5", "application/x-netcdf"], &[]), 0)];
    let toml = "[adapters_by_mimetype]\n'application/x-nexus' = 'tiled.adapters.hdf5:HDF5Adapter'\n\
        'application/x-hdf5' = 'tiled.adapters.hdf5:HDF5Adapter'";
    let (chosen, conflicts) = check(&one, toml);
    assert!(conflicts.is_empty(), "{conflicts:?}");
    assert_eq!((&*chosen["application/x-nexus"], &*chosen["application/x-hdf5"]), ("hdf5", "hdf5"));
    let conflicts = check(&one, "[adapters_by_mimetype]\n'a/b' = 'tiled.adapters.zarr:ZarrAdapter'").1;
    assert!(conflicts[0].contains("no plugin opens application/x-zarr"), "{conflicts:?}");
}

#[test]
fn an_only_reader_may_be_given_any_type_and_several_may_not() {
    let plugins = [(plugin("one", &["a/b"], &[]), 0), (plugin("two", &["c/d", "e/f"], &[]), 0)];
    assert_eq!(check(&plugins, "[adapters_by_mimetype]\n'q/r' = 'one'").0["q/r"], "one");
    let conflicts = check(&plugins, "[adapters_by_mimetype]\n'q/r' = 'two'").1;
    assert!(conflicts[0].ends_with("register the files as one of c/d, e/f"), "{conflicts:?}");
}
