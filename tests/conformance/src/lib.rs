//! Checks that span the tree: requirement coverage and layout.
