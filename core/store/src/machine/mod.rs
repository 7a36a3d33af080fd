//! Placement, put, get and repair as sans-IO machines.
