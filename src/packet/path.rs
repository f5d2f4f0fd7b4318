//! The layers around a packet, outermost first.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use crate::coverage::Counter;
use std::fmt;

/// Most tags, labels and tunnels around one packet.
pub const MAX_LAYERS: usize = 16;

/// The layer and the segment of paths that found the table full.
pub(super) const OTHER: &str = "other";

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident => $word:literal, $counter:ident,)+) => {
        /// What kind of tag or tunnel a layer is.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub(super) enum Kind { #[default] $($(#[doc = $doc])+ $kind,)+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)+];

            /// The word in paths and segments.
            fn word(self) -> &'static str {
                match self { $(Kind::$kind => $word,)+ }
            }

            /// What counts its layers.
            pub fn counter(self) -> Counter {
                match self { $(Kind::$kind => Counter::$counter,)+ }
            }
        }
    };
}

kinds! {
    /// VLAN id of an 802.1Q tag.
    Vlan => "vlan", EncapVlan,
    /// VLAN id of an 802.1ad tag or one of its forerunners.
    ServiceVlan => "vlan", EncapQinq,
    /// Service instance (I-SID) of an 802.1ah backbone frame.
    Isid => "isid", EncapIsid,
    /// VN-Tag of a switch port.
    VnTag => "vntag", EncapVnTag,
    /// E-Tag of an 802.1BR port.
    ETag => "etag", EncapETag,
    /// Cisco MetaData with the sender's security group.
    Cmd => "cmd", EncapCmd,
    /// MACsec without encryption.
    Macsec => "macsec", EncapMacsec,
    /// MPLS label.
    Mpls => "mpls", EncapMpls,
    /// PPPoE session.
    Pppoe => "pppoe", EncapPppoe,
    /// GRE with or without key.
    Gre => "gre", EncapGre,
    /// PPTP's GRE, with its call id.
    Pptp => "pptp", EncapPptp,
    /// Virtual subnet id of NVGRE.
    Nvgre => "vsid", EncapNvgre,
    /// ERSPAN session.
    Erspan => "erspan", EncapErspan,
    /// VXLAN network.
    Vxlan => "vni", EncapVxlan,
    /// GENEVE network.
    Geneve => "geneve", EncapGeneve,
    /// GTP-U with its tunnel endpoint id.
    Gtpu => "gtpu", EncapGtpu,
    /// IPv4 in IPv4.
    V4InV4 => "4in4", EncapV4InV4,
    /// IPv6 in IPv4.
    V6InV4 => "6in4", EncapV6InV4,
    /// IPv4 in IPv6.
    V4InV6 => "4in6", EncapV4InV6,
    /// IPv6 in IPv6.
    V6InV6 => "6in6", EncapV6InV6,
    /// Ethernet in IP.
    EtherIp => "etherip", EncapEtherIp,
    /// MikroTik's Ethernet over IP, with its tunnel id.
    Eoip => "eoip", EncapEoip,
    /// Teredo.
    Teredo => "teredo", EncapTeredo,
    /// CAPWAP data channel.
    Capwap => "capwap", EncapCapwap,
    /// A frame that was mirrored by TZSP.
    Tzsp => "tzsp", EncapTzsp,
    /// LISP, with its instance id.
    Lisp => "lisp", EncapLisp,
    /// L2TP session of version 2 or 3.
    L2tp => "l2tp", EncapL2tp,
    /// Compressed IP payload.
    Ipcomp => "ipcomp", EncapIpcomp,
}

impl Kind {
    /// Whether the id names one direction only, so that the two halves of a
    /// conversation carry different ones.
    fn one_way(self) -> bool {
        matches!(self, Kind::Gtpu | Kind::Pptp | Kind::Mpls | Kind::L2tp)
    }

    /// Whether the layer keeps hosts apart. Labels and port tags say where a
    /// frame goes; the way back may have none.
    fn separates(self) -> bool {
        !matches!(self, Kind::Mpls | Kind::VnTag | Kind::ETag | Kind::Cmd | Kind::Macsec | Kind::Ipcomp)
    }
}

/// One tag or tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Layer {
    pub kind: Kind,
    /// Its number, where it has one.
    pub id: Option<u32>,
}

impl Layer {
    pub fn with_id(kind: Kind, id: u32) -> Self {
        Layer { kind, id: Some(id) }
    }

    pub fn bare(kind: Kind) -> Self {
        Layer { kind, id: None }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        match self.id {
            Some(id) => write!(f, ":{id}"),
            None => Ok(()),
        }
    }
}

/// The layers of one packet.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    layers: [Layer; MAX_LAYERS],
    len: usize,
}

impl Path {
    /// Adds the next layer inwards; [`Counter::LayersExceeded`] beyond
    /// [`MAX_LAYERS`].
    pub fn push(&mut self, layer: Layer) -> Result<(), Counter> {
        *self.layers.get_mut(self.len).ok_or(Counter::LayersExceeded)? = layer;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// The layers, outermost first.
    pub fn layers(&self) -> &[Layer] {
        self.layers.get(..self.len).unwrap_or(&[])
    }

    /// Replaces ids that name one direction by none.
    pub fn without_one_way_ids(&self) -> Path {
        let mut path = self.clone();
        path.layers.iter_mut().filter(|l| l.kind.one_way()).for_each(|l| l.id = None);
        path
    }
}

/// The segment that a path makes.
///
/// Both directions of a conversation must lie in the same segment. MPLS labels
/// name one direction, and the last hop pops them, so they are left out, and
/// so are port tags; GTP, PPTP and L2TP tunnels count, without their one-way
/// ids.
pub(super) fn segment(layers: &[Layer]) -> String {
    let mut text = String::new();
    for layer in layers.iter().filter(|l| l.kind.separates()) {
        if !text.is_empty() {
            text.push('/');
        }
        if layer.kind.one_way() {
            text.push_str(layer.kind.word());
        } else {
            text.push_str(&layer.to_string());
        }
    }
    text
}

/// Whether a text is a segment, or a layer, as this program may write it: words
/// of layers, each perhaps with a number, and so nothing that anybody chose.
pub fn is_path(text: &str) -> bool {
    let is_layer = |layer: &str| {
        let (word, id) = layer.split_once(':').unwrap_or((layer, ""));
        let known = word == OTHER || Kind::ALL.iter().any(|kind| kind.word() == word);
        known && id.len() <= 10 && id.bytes().all(|b| b.is_ascii_digit())
    };
    text.is_empty() || text.split('/').all(is_layer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_the_same_in_both_directions() {
        let path = |label, teid| {
            let mut p = Path::default();
            p.push(Layer::with_id(Kind::Vlan, 10)).unwrap();
            p.push(Layer::with_id(Kind::Mpls, label)).unwrap();
            p.push(Layer::with_id(Kind::Gtpu, teid)).unwrap();
            p.push(Layer::with_id(Kind::Vxlan, 77)).unwrap();
            p
        };
        let (a, b) = (path(16, 1), path(17, 2));
        assert_eq!(segment(a.layers()), "vlan:10/gtpu/vni:77");
        assert_eq!(segment(a.layers()), segment(b.layers()));
        assert_ne!(a.layers(), b.layers());
        assert_eq!(a.without_one_way_ids().layers(), b.without_one_way_ids().layers());
        assert_eq!(a.layers()[1].to_string(), "mpls:16");
    }

    #[test]
    fn what_is_written_is_known_again() {
        for kind in Kind::ALL {
            let layers = [Layer::with_id(*kind, u32::MAX), Layer::bare(*kind)];
            layers.iter().for_each(|l| assert!(is_path(&l.to_string()), "{l}"));
            assert!(is_path(&segment(&layers)));
        }
        for text in ["", OTHER, "vlan:10/vni:77"] {
            assert!(is_path(text), "{text}");
        }
        for text in ["room:12", "vlan:anna", "vlan:10/anna", "gre:10.0.0.1", "vlan:10/", "vlan:12345678901"] {
            assert!(!is_path(text), "{text}");
        }
    }

    #[test]
    fn a_path_is_bounded() {
        let mut p = Path::default();
        for _ in 0..MAX_LAYERS {
            p.push(Layer::bare(Kind::Gre)).unwrap();
        }
        assert_eq!(p.push(Layer::bare(Kind::Gre)), Err(Counter::LayersExceeded));
        assert_eq!(p.layers().len(), MAX_LAYERS);
    }
}
