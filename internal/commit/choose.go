package commit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fwpush/render"
)

// Choice is the backend for a host, and why it is that one.
type Choice struct {
	Backend render.Backend
	Why     string
	// Before is the backend of what was confirmed last, "" if nothing was.
	Before render.Backend
	// Ipset says whether rules for iptables may refer to sets on this host.
	Ipset bool
}

// Changes says whether the host goes from one backend to the other.
func (c Choice) Changes() bool { return c.Before != "" && c.Before != c.Backend }

// LackError is what a host lacks for a backend, and the remedy.
type LackError struct{ What, Hint string }

func (e *LackError) Error() string { return e.What }

// Choose says which backend a host gets where the fleet file asks for want, "" being
// no wish: the one of its last confirmed rules, and on a first push nftables if nft
// loads a fixed table there. It never depends on whether a candidate loads.
func (f Facts) Choose(want render.Backend) (Choice, *LackError) {
	c := Choice{Ipset: f.Ipset}
	if f.Generation > 0 {
		c.Before = render.BackendOf(f.Rules)
	}
	switch {
	case want != "":
		c.Backend, c.Why = want, "the fleet file asks for it"
	case c.Before != "":
		c.Backend, c.Why = c.Before, "the host's last confirmed rules are for it"
	case f.Probe == "ok":
		c.Backend, c.Why = render.BackendNftables, "a first push, and nft works on the host"
	case f.iptablesLack() == nil:
		c.Backend, c.Why = render.BackendIptables, "a first push, and nft does not work on the host: "+f.nftTrouble()
	default:
		lack := f.iptablesLack()
		return c, &LackError{"no backend works on the host: " + f.nftTrouble() + "; " + lack.What, "apt install nftables, or iptables"}
	}
	return c, f.lack(c)
}

// nftTrouble is why nft did not take the probe, one line of what it said.
func (f Facts) nftTrouble() string {
	why, _ := strings.CutPrefix(f.Probe, "failed ")
	if why == "" {
		why = "nft said nothing"
	}
	return clip(why)
}

// lack is what keeps a host from the backend that was chosen: what that one needs,
// and what the one needs whose rules have to be taken away.
func (f Facts) lack(c Choice) *LackError {
	if f.Stray != "" {
		return f.strayed()
	}
	for _, b := range []render.Backend{c.Backend, c.Before} {
		var lack *LackError
		switch b {
		case render.BackendNftables:
			lack = f.nftLack()
		case render.BackendIptables:
			lack = f.iptablesLack()
		}
		if lack != nil && b != c.Backend {
			lack.What = fmt.Sprintf("the rules of now are for %s: %s", b, lack.What)
		}
		if lack != nil {
			return lack
		}
	}
	switch {
	case !f.runsUnseen():
		return nil
	case f.XTError != "":
		return f.xtTrouble()
	case !f.has("iptables-save"):
		return &LackError{"chains FWPUSH-* are loaded, and iptables-save was not found on the host", "apt install iptables"}
	}
	return nil
}

// strayed is a host that has chosen the other variant of iptables since our chains were
// loaded. They filter as before, and none of its programs shows them.
func (f Facts) strayed() *LackError {
	hint := "choose the variant of before: update-alternatives --config iptables, and --config ip6tables"
	if render.BackendOf(f.Boot) == render.BackendIptables {
		hint += "; or move them to that of now: sh /var/lib/fwpush/load.sh reload"
	}
	return &LackError{"chains FWPUSH-* are loaded by the variant of iptables that the host does not use any more: " + clip(f.Stray), hint}
}

// runsUnseen says whether nft tells of chains of ours in iptables' tables.
func (f Facts) runsUnseen() bool { return strings.Contains(f.Chains, "chain FWPUSH-") }

func (f Facts) nftLack() *LackError {
	switch {
	case f.NFT == "none" || f.NFT == "":
		return &LackError{"nft was not found on the host", "apt install nftables"}
	case f.NFTError != "":
		return &LackError{"nft cannot list table inet fwpush: " + lastLine(f.NFTError), "run nft list table inet fwpush on the host"}
	}
	return nil
}

// -w is known since iptables 1.6.2; without it two loads at a time fail.
const oldestIptables = "1.6.2"

func (f Facts) iptablesLack() *LackError {
	const install = "apt install iptables"
	for _, tool := range []string{"iptables-restore", "iptables-save"} {
		if !f.has(tool) {
			return &LackError{tool + " was not found on the host", install}
		}
	}
	for _, tool := range []string{"ip6tables-restore", "ip6tables-save"} {
		if f.IPv6 && !f.has(tool) {
			return &LackError{tool + " was not found on the host, and IPv6 is on", install}
		}
	}
	version, ok := iptablesVersion(f.Iptables)
	oldest, _ := iptablesVersion("iptables v" + oldestIptables)
	switch {
	case !ok:
		return &LackError{fmt.Sprintf("iptables does not tell its version, it says %q", clip(f.Iptables)), "run iptables --version on the host"}
	case slices.Compare(version, oldest) < 0:
		return &LackError{"iptables is older than " + oldestIptables + ": " + clip(f.Iptables), "upgrade iptables"}
	case f.Engines != "":
		return &LackError{"two rule engines active: " + clip(f.Engines), "move the rules of one to the other, or choose it with update-alternatives --config iptables"}
	case f.XTError != "":
		return f.xtTrouble()
	}
	return nil
}

func (f Facts) xtTrouble() *LackError {
	return &LackError{"iptables cannot list its rules: " + lastLine(f.XTError), "run iptables-save and ip6tables-save on the host"}
}

func (f Facts) has(tool string) bool { return slices.Contains(f.Tools, tool) }

// iptablesVersion reads "iptables v1.8.9 (nf_tables)".
func iptablesVersion(s string) (v []int, ok bool) {
	words := strings.Fields(s)
	if len(words) < 2 {
		return nil, false
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(words[1], "v"), ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || len(v) == 4 {
			return nil, false
		}
		v = append(v, n)
	}
	return v, true
}

// want is the word for a wish.
func want(b render.Backend) string {
	if b == "" {
		return "auto"
	}
	return string(b)
}
