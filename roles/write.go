package roles

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"fwpush/inventory"
)

// write is a role in TOML.
func write(r inventory.Role) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[roles.%s]\n", r.Name)
	if len(r.Extends) > 0 {
		fmt.Fprintf(&b, "extends = %s\n", quoteList(r.Extends))
	}
	writeSettings(&b, r.Settings)
	writeRules(&b, "in", r.In, "iface", "")
	writeRules(&b, "out", r.Out, "", "iface")
	writeRules(&b, "forward", r.Forward, "in_iface", "out_iface")
	if r.Forwards && len(r.Forward) == 0 {
		b.WriteString("forward = []\n")
	}
	writeRules(&b, "published", r.Published, "iface", "")
	if r.Publishes && len(r.Published) == 0 {
		b.WriteString("published = []\n")
	}
	writeList(&b, "nat", r.NAT, natFields)
	writeList(&b, "probe", r.Probes, probeFields)
	return b.String()
}

func writeSettings(b *strings.Builder, s inventory.Settings) {
	if s.Inbound != nil {
		fmt.Fprintf(b, "inbound = %s\n", inventory.TOML(string(s.Inbound.V)))
	}
	if s.Outbound != nil {
		fmt.Fprintf(b, "outbound = %s\n", inventory.TOML(string(s.Outbound.V)))
	}
	if s.Log != nil {
		fmt.Fprintf(b, "log = %s\n", logValue(s.Log.V))
	}
	if s.Ping != nil {
		value := strconv.FormatBool(s.Ping.V.On)
		if s.Ping.V.Rate.N > 0 {
			value = inventory.TOML(s.Ping.V.Rate.String())
		}
		fmt.Fprintf(b, "ping = %s\n", value)
	}
	for _, v := range []struct {
		key string
		at  *inventory.At[bool]
	}{{"dhcp_client", s.DHCPClient}, {"antispoof", s.Antispoof}, {"igmp", s.IGMP}, {"accept_ra", s.AcceptRA}, {"sends_ra", s.SendsRA}} {
		if v.at != nil {
			fmt.Fprintf(b, "%s = %t\n", v.key, v.at.V)
		}
	}
}

func logValue(l inventory.Log) string {
	if l.Prefix != "" {
		return inventory.TOML(l.Prefix)
	}
	return strconv.FormatBool(l.On)
}

// fields are the keys of an inline table, in order, those without a value left
// out.
type fields []string

func (f *fields) text(key, value string) {
	if value != "" {
		*f = append(*f, key+" = "+inventory.TOML(value))
	}
}

func (f *fields) list(key string, values []inventory.At[string]) {
	if len(values) > 0 {
		*f = append(*f, key+" = "+quoteList(values))
	}
}

func (f *fields) bare(key string, value any, there bool) {
	if there {
		*f = append(*f, fmt.Sprintf("%s = %v", key, value))
	}
}

func writeList[T any](b *strings.Builder, key string, list []T, of func(T) fields) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "%s = [\n", key)
	for _, v := range list {
		fmt.Fprintf(b, "  { %s },\n", strings.Join(of(v), ", "))
	}
	b.WriteString("]\n")
}

// writeRules writes rules, whose interfaces have the keys given.
func writeRules(b *strings.Builder, key string, rules []inventory.Rule, inKey, outKey string) {
	writeList(b, key, rules, func(r inventory.Rule) fields {
		var f fields
		f.list(string(r.Verb), r.Services)
		f.list("from", r.From)
		f.list("to", r.To)
		f.list(inKey, r.InIfaces)
		f.list(outKey, r.OutIfaces)
		f.text("family", string(r.Family))
		if r.Rate.V.N > 0 {
			f.text("rate", r.Rate.V.String())
		}
		f.bare("max_conns", r.MaxConns.V, r.MaxConns.V > 0)
		f.bare("log", logValue(r.Log), r.Log.On)
		if !r.Expires.V.IsZero() {
			f.bare("expires", r.Expires.V.Add(-time.Second).Format(time.DateOnly), true)
		}
		f.bare("allow_empty", true, r.AllowEmpty)
		f.text("name", r.Name.V)
		f.text("owner", r.Owner.V)
		f.text("ticket", r.Ticket.V)
		f.text("comment", r.Comment.V)
		return f
	})
}

func natFields(n inventory.NAT) fields {
	var f fields
	switch n.Kind {
	case inventory.SNAT:
		f.text("snat", n.ToAddr.String())
	case inventory.Redirect:
		f.bare("redirect", n.ToPort, true)
	default:
		f.bare(string(n.Kind), true, true)
	}
	if n.Kind == inventory.DNAT {
		to := n.ToAddr.String()
		if n.ToPort > 0 {
			to = netip.AddrPortFrom(n.ToAddr, n.ToPort).String()
		}
		f.text("to_addr", to)
	}
	f.list("dport", n.Services)
	f.list("from", n.From)
	f.list("to", n.To)
	f.list("iface", n.InIfaces)
	f.list("out_iface", n.OutIfaces)
	switch {
	case n.Kind == inventory.Masquerade && n.Family == inventory.BothFamilies:
		f.text("family", "both") // which has to be written there
	case n.Kind == inventory.Masquerade, n.Kind == inventory.Redirect:
		f.text("family", string(n.Family))
	}
	f.bare("allow_empty", true, n.AllowEmpty)
	f.text("comment", n.Comment.V)
	return f
}

func probeFields(p inventory.Probe) fields {
	var f fields
	if p.Kind == "tcp" {
		f.bare("tcp", p.Port, true)
	} else {
		f.text(p.Kind, p.Text)
	}
	f.text("from", p.From.V)
	f.text("host", p.Host.V)
	f.bare("expect", p.Status, p.Status > 0)
	f.bare("expect", false, p.Fails)
	f.text("timeout", p.Timeout.String())
	f.bare("become", true, p.Become)
	return f
}
