package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// A Docker-like set of tables, as its daemon makes them with iptables-nft.
const dockerLike = `for ipt in iptables-nft ip6tables-nft; do
	case $ipt in iptables-nft) net=172.17.0.0/16 to=172.17.0.2:80 ;; *) net=fd17::/64 to=[fd17::2]:80 ;; esac
	$ipt -t nat -N DOCKER
	$ipt -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
	$ipt -t nat -A POSTROUTING -s $net ! -o docker0 -j MASQUERADE
	$ipt -t nat -A DOCKER -i docker0 -j RETURN
	$ipt -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination $to
	$ipt -N DOCKER
	$ipt -N DOCKER-ISOLATION-STAGE-1
	$ipt -N DOCKER-USER
	$ipt -P FORWARD DROP
	$ipt -A FORWARD -j DOCKER-USER
	$ipt -A FORWARD -j DOCKER-ISOLATION-STAGE-1
	$ipt -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	$ipt -A FORWARD -o docker0 -j DOCKER
	$ipt -A DOCKER ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
	$ipt -A DOCKER-ISOLATION-STAGE-1 -j RETURN
	$ipt -A DOCKER-USER -j RETURN
done`

// A fail2ban-like table with the addresses it has banned.
const fail2banLike = `nft -f - <<'END'
table inet f2b-table {
	set addr-set-sshd {
		type ipv4_addr
		elements = { 192.0.2.66, 192.0.2.77 }
	}
	set addr6-set-sshd {
		type ipv6_addr
		elements = { 2001:db8::66 }
	}
	chain f2b-chain {
		type filter hook input priority filter - 1; policy accept;
		tcp dport 22 ip saddr @addr-set-sshd reject with icmp type port-unreachable
		tcp dport 22 ip6 saddr @addr6-set-sshd reject with icmpv6 type port-unreachable
	}
}
END`

// An administrator's own chain in INPUT. nft can list connlimit and cannot load
// it again, so a ruleset that was saved and restored as a whole would show.
const adminLike = `for ipt in iptables-nft ip6tables-nft; do
	$ipt -N OURS
	$ipt -A INPUT -p tcp -m tcp --dport 8443 -j OURS
	$ipt -A OURS -p tcp -m tcp --syn -m connlimit --connlimit-above 30 -j REJECT --reject-with tcp-reset
	$ipt -A OURS -m comment --comment "kept by hand" -j RETURN
done`

// foreign is all that is not ours, in the words of three programs.
func (h *host) foreign(t *testing.T) string {
	t.Helper()
	text := cutTable(h.ruleset(t)) + "\n" + h.sh(t, "iptables-nft-save; ip6tables-nft-save; echo; nft list tables | grep -v 'inet fwpush' || true")
	// iptables prints packets counted, and the time of day.
	text = regexp.MustCompile(`\[\d+:\d+\]`).ReplaceAllString(text, "[]")
	return regexp.MustCompile(`(?m)^# (Generated|Completed).*$`).ReplaceAllString(text, "#")
}

// cutTable takes table inet fwpush out of a listing.
func cutTable(listing string) string {
	before, rest, found := strings.Cut(listing, "table inet fwpush {\n")
	if !found {
		return listing
	}
	_, after, _ := strings.Cut(rest+"\n", "\n}\n")
	return strings.TrimSuffix(before+after, "\n")
}

// TestN5RulesOfOthersAreLeftAlone pushes, locks out, reverts and removes beside
// the rules of Docker, fail2ban and an administrator.
func TestN5RulesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	const window = 4 * time.Second
	hosts := startLight(t, "foreign", 1)
	h := hosts[0]
	h.sh(t, "set -e\n"+dockerLike+"\n"+fail2banLike+"\n"+adminLike)
	before := h.foreign(t)
	for _, word := range []string{"DOCKER-USER", "dnat", "f2b-table", "192.0.2.77", "connlimit", "kept by hand"} {
		if !strings.Contains(before, word) {
			t.Fatalf("the rules of others have no %s:\n%s", word, before)
		}
	}
	untouched := func(t *testing.T, ours bool) {
		t.Helper()
		if has := strings.Contains(h.ruleset(t), "table inet fwpush {"); has != ours {
			t.Errorf("table inet fwpush is there: %v, want %v", has, ours)
		}
		if now := h.foreign(t); now != before {
			t.Errorf("the rules of others are not as before:\n%s", difference(before, now))
		}
	}
	f := webFleet(window.String(), hosts)
	c := newController(t, f.String())

	t.Run("before the file names them", func(t *testing.T) {
		e := c.run(t, 3, "apply", "-y")
		for _, say := range []string{"docker (iptables ", "fail2ban (inet f2b-table f2b-chain)", "rules of iptables made by hand (", `add coexist = ["docker", "fail2ban", "iptables"]`} {
			if !strings.Contains(e.stdout+e.stderr, say) {
				t.Errorf("it does not say %s:\n%s", say, e)
			}
		}
		untouched(t, false)
	})
	f.coexist = []string{"docker", "fail2ban", "iptables"}
	c.write(t, "fleet.toml", f.String())
	c.write(t, "lockout.toml", f.lockOut(window.String()).String())

	t.Run("after a first push that reverts", func(t *testing.T) {
		c.killedAt(t, "applied", 1, "apply", "-i", "lockout.toml", "-y", "--accept-risk", "lose-ssh")
		untouched(t, true)
		until(t, "the host reverts", window+healing, func() (string, bool) { now := h.state(t); return now, now == "reverted" })
		untouched(t, false)
	})
	t.Run("after a push", func(t *testing.T) {
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, true)
		// 8080 is not among the rules of the file, and reaches a container all the same.
		if e := c.run(t, 0, "status"); !strings.Contains(e.stdout, "published past the rules of `in`: tcp/8080 to 172.17.0.2:80 by docker (iptables nat DOCKER: ") {
			t.Errorf("published ports:\n%s", e)
		}
	})
	t.Run("after a change of the same chains", func(t *testing.T) {
		f.parts = []string{onePortMore}
		c.write(t, "fleet.toml", f.String())
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, true)
	})
	t.Run("after a lock-out that reverts", func(t *testing.T) {
		c.killedAt(t, "applied", 1, "apply", "-i", "lockout.toml", "-y", "--accept-risk", "lose-ssh")
		until(t, "the host reverts", window+healing, func() (string, bool) { now := h.state(t); return now, now == "reverted" })
		untouched(t, true)
	})
	t.Run("after a removal", func(t *testing.T) {
		c.runJSON(t, 0, "remove", "foreign-1", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, false)
	})
}
