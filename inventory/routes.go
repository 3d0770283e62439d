package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// route sets how each host is reached through others. Hosts behind the same jump host
// share its Endpoint. Where jumps go in a circle, which jumps has told, the way ends.
func route(hosts []Host) {
	index := map[string]int{}
	for i, h := range hosts {
		index[h.Name] = i
	}
	begun, settled := make([]bool, len(hosts)), make([]*Endpoint, len(hosts))
	var settle func(i int)
	settle = func(i int) {
		begun[i] = true
		ep := &hosts[i].SSH
		if j, ours := index[ep.Jump]; ours {
			if !begun[j] {
				settle(j)
			}
			ep.Via = settled[j] // nil if it is this host's own way that leads here
		} else if ep.Jump != "" {
			ep.Via = stranger(*ep)
		}
		copied := *ep
		copied.Outside = hosts[i].Unmanaged
		settled[i] = &copied
	}
	for i := range hosts {
		if !begun[i] {
			settle(i)
		}
	}
}

// stranger is a jump host that is not of the fleet. What is not written in its
// [user@]address[:port] is as for the host behind it.
func stranger(behind Endpoint) *Endpoint {
	user, address, port, _ := syntax.Jump(behind.Jump) // ssh has complained
	written := maps.Clone(behind.Written)
	for _, key := range []string{"jump", "port", "address"} {
		delete(written, key)
	}
	for key, given := range map[string]bool{"user": user != "", "port": port != 0} {
		if given {
			written[key] = behind.Written["jump"]
		}
	}
	return &Endpoint{
		Name:           behind.Jump,
		Outside:        true,
		Place:          behind.Place,
		Address:        plain(address),
		Port:           cmp.Or(port, defaultPort),
		User:           cmp.Or(user, behind.User),
		Identity:       behind.Identity,
		KnownHosts:     behind.KnownHosts,
		ConnectTimeout: behind.ConnectTimeout,
		JumpLogins:     behind.JumpLogins,
		Written:        written,
	}
}

// jumps reports hosts that are reached through themselves, and jump hosts that look as
// if they were meant to be hosts of the fleet.
func (d *decoder) jumps(hosts []Host) {
	through := map[string]string{}
	var names []string
	ours := map[string]string{} // names of hosts that are pushed to, by all they may be called
	for _, h := range hosts {
		through[h.Name] = h.SSH.Jump
		names = append(names, h.Name)
		if h.Unmanaged {
			continue
		}
		ours[h.Name], ours[h.SSH.Address] = h.Name, h.Name
		for _, a := range h.Addrs() {
			if !slices.ContainsFunc(h.Shared, func(s At[netip.Addr]) bool { return s.V == a }) {
				ours[a.String()] = h.Name
			}
		}
	}
	told := map[string]bool{}
	warn := func(h Host, what, hint string) {
		told["\x00"+h.SSH.Jump] = true
		d.report(Warning, d.jumpSpan(h), "jump "+syntax.Quote(h.SSH.Jump)+what, hint)
	}
	for _, h := range hosts {
		if _, known := through[h.SSH.Jump]; !known && h.SSH.Jump != "" && !told["\x00"+h.SSH.Jump] {
			_, address, _, _ := syntax.Jump(h.SSH.Jump)
			name, near := ours[plain(address)], ""
			if !strings.ContainsAny(h.SSH.Jump, ".:@") {
				near = syntax.Nearest(h.SSH.Jump, names)
			}
			switch {
			case name != "":
				warn(h, " is "+name+" of the fleet", fmt.Sprintf("write jump = %q, so that it is changed after the hosts behind it", name))
			case near != "":
				warn(h, " is no host of the fleet", fmt.Sprintf("did you mean %q?", near))
			}
		}
		chain := []string{h.Name}
		for next := through[h.Name]; next != "" && (through[next] != "" || slices.Contains(chain, next)); next = through[next] {
			if i := slices.Index(chain, next); i >= 0 {
				cycle := append(slices.Clone(chain[i:]), next)
				if i == 0 && !told[slices.Min(cycle)] {
					told[slices.Min(cycle)] = true
					d.fail(d.jumpSpan(h), "jump cycle: "+arrows(cycle), "one of these hosts must be reached without the others")
				}
				break
			}
			chain = append(chain, next)
		}
	}
}

// jumpSpan is where it is written what a host is reached through.
func (d *decoder) jumpSpan(h Host) source.Span {
	own := d.root.Kid("hosts").Kid(h.Name).Kid("ssh").Kid("jump")
	if own == nil {
		own = d.root.Kid("defaults").Kid("ssh").Kid("jump")
	}
	if own == nil {
		return d.span(h.SSH.Place)
	}
	return own.Val
}

func arrows(names []string) string {
	s := names[0]
	for _, n := range names[1:] {
		s += " → " + n
	}
	return s
}
