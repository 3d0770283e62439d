package wire

// State is what connection tracking calls a packet (ct state, -m conntrack --ctstate). All packets
// of a rig are the first of their connection, so there are no others.
type State uint8

// StateUntracked are the messages of IPv6 that need no state, such as those of neighbour discovery.
// Zero stands for packets about which kernels differ.
const (
	StateNew State = iota + 1
	StateInvalid
	StateUntracked
)

func (s State) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateInvalid:
		return "invalid"
	case StateUntracked:
		return "untracked"
	}
	return "unknown"
}

// State tells what the packet's rules see.
func (p Packet) State() State {
	switch {
	case p.Proto == udpLite && p.Direction != Output:
		return 0 // 6.18 takes its checksum for that of UDP, and so for wrong
	case p.Proto == ICMP && p.Src.Is4():
		// Echo, timestamp, information and address mask requests. The rest are answers and errors,
		// and quote no connection (nf_conntrack_icmp_packet).
		if p.Type == 8 || p.Type == 13 || p.Type == 15 || p.Type == 17 {
			return StateNew
		}
		return StateInvalid
	case p.Proto == ICMPv6 && p.Src.Is6():
		switch {
		case p.Type >= 151 && p.Type <= 153:
			return 0 // multicast router discovery was invalid, and became untracked
		case p.mld() || p.Type >= 133 && p.Type <= 136: // noct_valid_new
			return StateUntracked
		case p.Type == 128 || p.Type == 139: // echo and node information requests
			return StateNew
		}
		return StateInvalid
	case p.Proto == ICMP, p.Proto == ICMPv6:
		// Read as ICMP, it is an answer.
		return StateInvalid
	}
	return StateNew
}
