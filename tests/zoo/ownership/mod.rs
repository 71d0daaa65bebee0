//! The ownership tier: the programs of the ConVul benchmark, but for the two trivial ones: security bugs as tables of
//! handles whose generations are checked. Written against `rt` alone.

use super::rt::Program;

mod cve_2013_1792;
mod cve_2015_7550;
mod cve_2016_1972;
mod cve_2016_1973;
mod cve_2016_7911;
mod cve_2016_9806;
mod cve_2017_15265;
mod cve_2017_6346;
mod heap;

/// In the order of their numbers.
#[rustfmt::skip]
pub const ALL: &[Program] = &[
    program!(Ownership, "CVE-2013-1792", "ConVul CVE-2013-1792, Linux keys", "panicked", |twin| cve_2013_1792::keys_of_user(twin)),
    program!(Ownership, "CVE-2015-7550", "ConVul CVE-2015-7550, Linux keys", "panicked", |twin| cve_2015_7550::key_revoked(twin)),
    program!(Ownership, "CVE-2016-1972", "ConVul CVE-2016-1972, libvpx", "panicked", |twin| cve_2016_1972::lock_of_once(twin)),
    program!(Ownership, "CVE-2016-1973", "ConVul CVE-2016-1973, WebRTC", "panicked", |twin| cve_2016_1973::static_instance(twin)),
    program!(Ownership, "CVE-2016-7911", "ConVul CVE-2016-7911, Linux block layer", "panicked", |twin| cve_2016_7911::io_priority(twin)),
    program!(Ownership, "CVE-2016-9806", "ConVul CVE-2016-9806, Linux netlink", "panicked", |twin| cve_2016_9806::netlink_dump(twin)),
    program!(Ownership, "CVE-2017-6346", "ConVul CVE-2017-6346, Linux packet sockets", "panicked", |twin| cve_2017_6346::fanout_add(twin)),
    program!(Ownership, "CVE-2017-15265", "ConVul CVE-2017-15265, Linux sound", "panicked", |twin| cve_2017_15265::sequencer_port(twin)),
];
