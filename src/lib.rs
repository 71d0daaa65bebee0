//! fatum
