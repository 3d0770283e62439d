package expect

import (
	"fmt"
	"net/netip"

	"fwpush/inventory"
	"fwpush/roles/space"
)

// Sample is one packet of a box, as explain takes it.
func Sample(b space.Box) string {
	if b.Empty() {
		return ""
	}
	k := b.Key[0].From
	if space.ProtoWord(k.Proto()) == "" {
		return fmt.Sprintf("%s %s > %s", KeyWord(space.Range[space.Key]{From: k, To: k}, b.V6()), b.Src[0].From, b.Dst[0].From)
	}
	port := k.Port()
	if port == 0 && b.Key[0].To > k {
		port = 1 // there is no port 0
	}
	return fmt.Sprintf("%s %s > %s", space.ProtoWord(k.Proto()), b.Src[0].From, netip.AddrPortFrom(b.Dst[0].From, port))
}

// KeyWord is a range of what packets are about, in the words of the fleet file.
func KeyWord(r space.Range[space.Key], v6 bool) string {
	proto := r.From.Proto()
	word := space.ProtoWord(proto)
	switch {
	case proto != r.To.Proto():
		return fmt.Sprintf("protocols %d to %d", proto, r.To.Proto())
	case word != "" && r.From.Port() <= 1 && r.To.Port() == 65535:
		return word
	case word != "" && r.From == r.To:
		return fmt.Sprintf("%s/%d", word, r.From.Port())
	case word != "":
		return fmt.Sprintf("%s/%d-%d", word, r.From.Port(), r.To.Port())
	case proto == space.ICMP && !v6 && typeWord(r, false) == "/echo-request", proto == space.ICMPv6 && v6 && typeWord(r, true) == "/echo-request":
		return "ping"
	case proto == space.ICMP && !v6:
		return "icmp" + typeWord(r, false)
	case proto == space.ICMPv6 && v6:
		return "icmpv6" + typeWord(r, true)
	}
	return inventory.ProtoName(proto)
}

func typeWord(r space.Range[space.Key], v6 bool) string {
	switch {
	case r.From.Type() == r.To.Type():
		return "/" + inventory.ICMPName(v6, r.From.Type())
	case r.From.Type() == 0 && r.To.Type() == 255:
		return ""
	}
	return fmt.Sprintf("/%d-%d", r.From.Type(), r.To.Type())
}
