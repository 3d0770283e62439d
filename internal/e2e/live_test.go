package e2e

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// dockerLive has Debian's Docker run a web server whose port 80 is the host's port 8080. It wants a
// host that systemd has booted on the tree "docker". The image is made of busybox, since no registry
// is in reach, and copied for each container: overlays on the host's overlay are not for every kernel.
const dockerLive = `groupadd -r docker
mkdir -p /etc/docker
echo '{ "storage-driver": "vfs", "exec-opts": ["native.cgroupdriver=cgroupfs"] }' >/etc/docker/daemon.json
systemctl -q start docker
mkdir -p /tmp/image/bin /tmp/image/www
cp /bin/busybox /tmp/image/bin/busybox
echo 'from the container' >/tmp/image/www/index.html
tar -C /tmp/image -c . | docker import - lab >/dev/null
docker run -d --name web -p 8080:80 lab /bin/busybox httpd -f -p 80 -h /www >/dev/null`

// fail2banLive has Debian's fail2ban ban one address of each family: from port 80 by nft, from port
// 443 by iptables. It wants the tree "docker" and works with and without systemd.
const fail2banLive = `rm -f /etc/fail2ban/jail.d/*
printf '[Definition]\nfailregex = ^refused <HOST>$\nallowipv6 = auto\n' >/etc/fail2ban/filter.d/lab.conf
cat >/etc/fail2ban/jail.local <<'END'
[DEFAULT]
backend = polling
filter = lab
logpath = /var/log/refused.log
bantime = -1
[bynft]
enabled = true
port = 80
banaction = nftables-multiport
[byiptables]
enabled = true
port = 443
banaction = iptables-multiport
END
: >/var/log/refused.log
mkdir -p /run/fail2ban /var/lib/fail2ban
if [ -d /run/systemd/system ]; then systemctl -q start fail2ban; else fail2ban-client -q start; fi
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ]
		sleep 0.1
	done
}
await fail2ban-client ping
for jail in bynft byiptables; do fail2ban-client -q set $jail banip 192.0.2.66 2001:db8::66 >/dev/null; done
# It bans when it comes to it.
await sh -c '[ "$(nft -s list ruleset | grep -c -e 192.0.2.66 -e 2001:db8::66)" = 4 ]'`

// get asks a web server for its first page.
func (n network) get(address string) (string, error) {
	conn, err := n.dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	return string(text), err
}

// TestRulesOfLiveDaemons is TestN5RulesOfOthersAreLeftAlone with the daemons themselves: their rules
// stay to the letter whatever is pushed, and do what they did.
func TestRulesOfLiveDaemons(t *testing.T) {
	t.Parallel()
	const window = 6 * time.Second
	tree := root(t, "docker")
	hosts := start(t, lab.HostOptions{Name: "live-docker", Root: tree, Systemd: true}, lab.HostOptions{Name: "live-bans", Root: tree},
		lab.HostOptions{Name: "live-banned"}, lab.HostOptions{Name: "live-other"})
	banned, other := hosts[2], hosts[3]
	hosts = hosts[:2]
	docker := hosts[0]
	docker.sh(t, "set -e\n"+dockerLive+"\n"+fail2banLive)
	hosts[1].sh(t, "set -e\n"+fail2banLive)
	banned.sh(t, "ip address add 192.0.2.66/32 dev eth0; ip address add 2001:db8::66/128 dev eth0 nodad")
	before := map[*host]string{}
	for _, h := range hosts {
		h.serve(t, 80, greet)
		h.serve(t, 443, greet)
		h.sh(t, "set -e; ip route add 192.0.2.66 dev eth0; ip route add 2001:db8::66 dev eth0")
		banned.sh(t, fmt.Sprintf("set -e; ip route add %s dev eth0 src 192.0.2.66; ip route add %s dev eth0 src 2001:db8::66", h.Addr4(), h.Addr6()))
		before[h] = h.foreign(t)
	}
	f := webFleet(window.String(), hosts)
	f.coexist = []string{"docker", "fail2ban"}
	c := newController(t, f.String())
	c.write(t, "lockout.toml", f.lockOut(window.String()).String())

	untouched := func(t *testing.T, ours bool) {
		t.Helper()
		everyone(t, hosts, func(t *testing.T, h *host) {
			if has := strings.Contains(h.ruleset(t), "table inet fwpush {"); has != ours {
				t.Errorf("%s: table inet fwpush is there: %v, want %v", h.Name(), has, ours)
			}
			if now := h.foreign(t); now != before[h] {
				t.Errorf("%s: the rules of the daemons are not as before:\n%s", h.Name(), difference(before[h], now))
			}
		})
		ports(t, other.net, hosts, "80 open, 443 open")
		ports(t, banned.net, hosts, "80 refused, 443 refused")
		// Docker's rules forward the port over IPv4 alone. Over IPv6 its proxy listens, a program of
		// the host's like any other.
		over6 := map[bool]string{false: "open", true: "silent"}[ours]
		for address, want := range map[string]string{at(docker.Addr4(), 8080): "open", at(docker.Addr6(), 8080): over6} {
			if got := other.net.probe(address); got != want {
				t.Errorf("the published port at %s is %s, want %s", address, got, want)
			}
		}
		if got, err := other.net.get(at(docker.Addr4(), 8080)); err != nil || !strings.HasSuffix(got, "\r\n\r\nfrom the container\n") {
			t.Errorf("the container says %q %v", got, err)
		}
		// It gets out: what answers is the other host's sshd, which sees docker's address.
		if got := docker.sh(t, fmt.Sprintf("docker exec web /bin/busybox nc -w 10 %s 22 </dev/null", other.Addr4())); !strings.HasPrefix(got, "SSH-2.0-") {
			t.Errorf("the container gets %q from another host", got)
		}
	}
	const published = "published past the rules of `in`: tcp/8080 to 172.17.0.2:80 by docker (iptables nat DOCKER: "
	told := func(t *testing.T, exit int, verb string) {
		t.Helper()
		if e := c.run(t, exit, verb); strings.Count(e.stdout, published) != 1 {
			t.Errorf("%s does not tell of the published port:\n%s", verb, e)
		}
	}
	locksOut := func(t *testing.T, ours bool) {
		t.Helper()
		c.runJSON(t, 3, "apply", "-i", "lockout.toml", "-y", "--accept-risk", "lose-ssh", "--max-fail", "100%").expect(t, all(hosts, "reverted"))
		untouched(t, ours)
	}

	t.Run("before anything", func(t *testing.T) {
		untouched(t, false)
		told(t, 1, "diff")
	})
	t.Run("after a first push that reverts", func(t *testing.T) { locksOut(t, false) })
	t.Run("after a push", func(t *testing.T) {
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, true)
		told(t, 0, "diff")
		told(t, 0, "status")
	})
	t.Run("after a lock-out that reverts", func(t *testing.T) { locksOut(t, true) })
	t.Run("while the daemons change their own", func(t *testing.T) {
		docker.sh(t, "docker run -d --name more -p 8081:80 lab /bin/busybox httpd -f -p 80 -h /www >/dev/null")
		if got := other.net.probe(at(docker.Addr4(), 8081)); got != "open" {
			t.Errorf("the port of a container that was started later is %s", got)
		}
		docker.sh(t, "docker rm -f more >/dev/null")
		untouched(t, true)
	})
	t.Run("after a change and a rollback", func(t *testing.T) {
		c.write(t, "fleet.toml", strings.Replace(f.String(), "[rollout]", onePortMore+"\n[rollout]", 1))
		c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, true)
		c.runJSON(t, 0, "rollback", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, true)
	})
	t.Run("after a removal", func(t *testing.T) {
		c.runJSON(t, 0, "remove", "live-docker,live-bans", "-y").expect(t, all(hosts, "confirmed"))
		untouched(t, false)
	})
}
