// Package wire asks the real kernel what a loaded ruleset does with a packet.
//
// A Rig is two hosts that differ in one thing: rules are loaded into the first and never into the
// second. Each is a network namespace whose interfaces lead to a namespace outside of it, where
// crafted packets are put on the wire. Neither has a name, a process or a route to the machine's
// own network, so the kernel removes all of it with the program, however that ends.
//
// Fates are exact, and nothing is waited for but events:
//
//   - Accepted: the packet was seen behind the last rule. For one that comes in that is a raw
//     socket, which the kernel serves after the input hook (ip_local_deliver_finish); for one that
//     leaves, a packet socket on the interface, which it serves after the postrouting hook.
//   - Rejected: it was not, and an answer that quotes it left the host.
//   - Dropped: neither, although a packet socket saw it arrive, and then saw a marker that was sent
//     after it. The marker is a frame of no protocol, which no ruleset concerns. All of it runs on
//     one CPU, whose queue of received frames is first in, first out (enqueue_to_backlog), so what
//     was sent before the marker has met its fate when the marker is seen.
//
// A packet that was not seen to arrive is sent again. One that was refused is sent at the second
// host as well: where that does not accept it, the kernel has refused it for a reason of its own,
// and there is no fate but an error. A full receive buffer is an error too.
//
// Making a Rig needs root, ip(8) of iproute2, and a kernel with veth, IPv6 and nftables.
package wire
