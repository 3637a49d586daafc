//! Pixels: HTML or JavaScript for a visitor's browser, its values escaped for where they stand.

