//! Networks of hosting companies, by their number (ASN), as far as a list in the module is worth its
//! size.
//!
//! Chosen by hand: the large providers at which anybody rents a machine within minutes, each found
//! under the provider's name in the public lists X4BNet/lists_vpn and brianhama/bad-asn-list in
//! 2026. Left out on purpose are networks through which people browse: those of privacy relays
//! (Akamai's 36183, Cloudflare's 13335, Fastly's 54113), of VPN companies (9009, 60068, 212238) and
//! of companies that are access providers as well. A campaign can add its own.

/// The numbers, sorted.
const NETWORKS: [u32; 52] = [
    7979,   // Servers.com
    8075,   // Microsoft Azure
    8100,   // QuadraNet
    8560,   // IONOS
    12876,  // Scaleway
    14061,  // DigitalOcean
    14618,  // Amazon
    16125,  // Cherry Servers
    16276,  // OVH
    16509,  // Amazon
    18450,  // WebNX
    19994,  // Rackspace
    20473,  // Vultr
    21100,  // ITLDC
    21859,  // Zenlayer
    24940,  // Hetzner
    24961,  // myLoc
    25820,  // IT7
    26347,  // DreamHost
    26496,  // GoDaddy
    28753,  // Leaseweb
    29066,  // velia.net
    29802,  // Hivelocity
    30633,  // Leaseweb
    31034,  // Aruba
    31898,  // Oracle Cloud
    33070,  // Rackspace
    35916,  // Multacom
    36007,  // Kamatera
    36351,  // IBM Cloud
    36352,  // ColoCrossing
    40676,  // Psychz
    45090,  // Tencent Cloud
    45102,  // Alibaba Cloud
    46606,  // Unified Layer
    47583,  // Hostinger
    49505,  // Selectel
    49981,  // WorldStream
    50673,  // Serverius
    51167,  // Contabo
    53667,  // FranTech
    54290,  // Hostwinds
    55990,  // Huawei Cloud
    60781,  // Leaseweb
    62240,  // Clouvider
    62567,  // DigitalOcean
    63949,  // Akamai Connected Cloud (Linode)
    132203, // Tencent Cloud
    136907, // Huawei Cloud
    197540, // netcup
    213230, // Hetzner
    396982, // Google Cloud
];

/// Whether a network is a data centre's, as far as the list knows.
pub fn is_data_centre(asn: u32) -> bool {
    NETWORKS.binary_search(&asn).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_list_is_found_and_relays_of_people_are_not() {
        assert!(NETWORKS.is_sorted());
        assert!(NETWORKS.iter().all(|asn| is_data_centre(*asn)));
        for relay_or_access in [36183, 13335, 54113, 9009, 3320, 7922, 0] {
            assert!(!is_data_centre(relay_or_access), "{relay_or_access}");
        }
    }
}
