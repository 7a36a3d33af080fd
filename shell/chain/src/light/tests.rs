//! Tests of trust over changes of validators.
