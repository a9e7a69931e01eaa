//! Measurements: lastmile beside its peers on one machine.
