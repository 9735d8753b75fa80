//! PNG, JPEG and other images, and sequences of them.
