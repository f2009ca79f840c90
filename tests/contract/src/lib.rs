//! One suite that every runtime adapter must pass.
