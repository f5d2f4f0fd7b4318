//! Names of record types (IANA registry "Resource Record (RR) TYPEs").

use std::borrow::Cow;

/// The mnemonic of a TYPE or QTYPE, such as `AAAA`; of one without, `TYPE`
/// and its number (RFC 3597 section 5).
pub fn type_name(code: u16) -> Cow<'static, str> {
    let known = match code {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        11 => "WKS",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        42 => "APL",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        108 => "EUI48",
        109 => "EUI64",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        _ => return Cow::Owned(format!("TYPE{code}")),
    };
    Cow::Borrowed(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns_parser::Type;

    #[test]
    fn known_and_unknown_types() {
        assert_eq!(type_name(65), "HTTPS");
        assert_eq!(type_name(255), "ANY");
        assert_eq!(type_name(65280), "TYPE65280");
    }

    #[test]
    fn the_same_mnemonics_as_dns_parser() {
        for code in 0..=300u16 {
            let name = type_name(code);
            if let Ok(t) = Type::parse(code)
                && !name.starts_with("TYPE")
            {
                assert_eq!(name, format!("{t:?}"));
            }
        }
    }
}
