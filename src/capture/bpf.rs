//! Filter expressions for frames of files.

use super::{CaptureError, LinkType};
use pcap::{BpfProgram, Capture, Linktype};

/// A filter expression in the language of pcap-filter(7), compiled once for
/// each link type that turns up.
///
/// Names in an expression (`host www.example.com`) are looked up by libpcap
/// when it is compiled; a sensor that must stay silent takes addresses only.
pub struct BpfFilter {
    expression: String,
    programs: Vec<(LinkType, Option<BpfProgram>)>,
}

/// Link types that an expression must be valid for one of: Ethernet, raw IP,
/// Linux cooked, 802.11 with and without radiotap.
const USUAL: [LinkType; 5] = [LinkType(1), LinkType(101), LinkType(113), LinkType(127), LinkType(105)];

impl BpfFilter {
    /// Checks the expression.
    ///
    /// # Errors
    ///
    /// [`CaptureError::BadFilter`] if it is valid for no usual link type.
    pub fn new(expression: &str) -> Result<Self, CaptureError> {
        let mut filter = BpfFilter { expression: expression.to_owned(), programs: Vec::new() };
        let mut first = None;
        for link in USUAL {
            match filter.compile(link) {
                Ok(program) => {
                    filter.programs.push((link, Some(program)));
                    return Ok(filter);
                }
                Err(e) => first = first.or(Some(e)),
            }
        }
        Err(first.unwrap_or_else(|| filter.error(LinkType(1), String::new())))
    }

    /// Whether a frame of that link type matches. The lengths that `len`,
    /// `greater` and `less` test are those captured.
    ///
    /// # Errors
    ///
    /// [`CaptureError::BadFilter`] the first time that a link type turns up
    /// for which the expression is not valid; its frames never match.
    #[inline]
    pub fn matches(&mut self, link: LinkType, frame: &[u8]) -> Result<bool, CaptureError> {
        match self.programs.iter().find(|(l, _)| *l == link) {
            Some((_, program)) => Ok(program.as_ref().is_some_and(|p| p.filter(frame))),
            None => self.matches_new(link, frame),
        }
    }

    #[cold]
    fn matches_new(&mut self, link: LinkType, frame: &[u8]) -> Result<bool, CaptureError> {
        let compiled = self.compile(link);
        let matched = compiled.as_ref().is_ok_and(|p| p.filter(frame));
        let (program, outcome) = match compiled {
            Ok(program) => (Some(program), Ok(matched)),
            Err(e) => (None, Err(e)),
        };
        self.programs.push((link, program));
        outcome
    }

    fn compile(&self, link: LinkType) -> Result<BpfProgram, CaptureError> {
        Capture::dead(Linktype(super::device::dlt(link)))
            .and_then(|dead| dead.compile(&self.expression, true))
            .map_err(|e| self.error(link, reason(&e)))
    }

    fn error(&self, link: LinkType, reason: String) -> CaptureError {
        CaptureError::BadFilter { expression: self.expression.clone(), link: super::device::link_name(link), reason }
    }
}

/// What libpcap said, without the prefix of the binding.
pub(super) fn reason(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ethernet frame with a UDP datagram to the port.
    fn udp(port: u16) -> Vec<u8> {
        let mut f = vec![0; 12];
        f.extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        f.extend(40_000u16.to_be_bytes());
        f.extend(port.to_be_bytes());
        f.extend([0, 8, 0, 0]);
        f
    }

    #[test]
    fn filters_by_link_type() {
        let mut filter = BpfFilter::new("udp dst port 53").unwrap();
        assert!(filter.matches(LinkType(1), &udp(53)).unwrap());
        assert!(!filter.matches(LinkType(1), &udp(54)).unwrap());
        assert!(filter.matches(LinkType(101), &udp(53)[14..]).unwrap());
        assert!(!filter.matches(LinkType(101), &udp(53)).unwrap());
        assert!(!filter.matches(LinkType(1), &[]).unwrap());
    }

    #[test]
    fn bad_syntax_is_said() {
        let e = BpfFilter::new("udp port port").err().unwrap();
        assert!(matches!(&e, CaptureError::BadFilter { expression, .. } if expression == "udp port port"));
        assert!(e.to_string().contains("syntax error"), "{e}");
        assert!(BpfFilter::new("udp\0").is_err());
    }

    #[test]
    fn an_expression_for_another_link_type_is_said_once() {
        let mut filter = BpfFilter::new("ether host 02:00:00:00:00:01").unwrap();
        assert!(filter.matches(LinkType(101), &udp(53)).is_err());
        assert!(!filter.matches(LinkType(101), &udp(53)).unwrap());
        assert!(BpfFilter::new("wlan type mgt").is_ok());
    }
}
