//! Threads and channels: the only place that wires the stages together.
