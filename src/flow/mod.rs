//! Stream heads, QUIC crypto streams, flow table: the only memory between packets.
