//! TIFF files and sequences of them.
