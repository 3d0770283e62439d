package roles

import (
	"fmt"
	"testing"

	"fwpush/inventory"
)

// Who decides a scalar, and what: the host, else the strictest role, else
// [defaults], else what stands.
func TestDecide(t *testing.T) {
	for _, tt := range []struct {
		name, fleet string
		key         string
		want, by    string
	}{
		{"nobody says", "[hosts.h]", "inbound", "drop", "default"},
		{"nobody says", "[hosts.h]", "outbound", "accept", "default"},
		{"nobody says", "[hosts.h]", "log", "{true }", "default"},
		{"nobody says", "[hosts.h]", "ping", "true", "default"},
		{"nobody says", "[hosts.h]", "dhcp_client", "false", "default"},
		{"nobody says", "[hosts.h]", "antispoof", "true", "default"},
		{"defaults", "[defaults]\ninbound = \"reject\"\n[hosts.h]", "inbound", "reject", "defaults"},
		{"a role beats defaults", "[defaults]\noutbound = \"drop\"\n[hosts.h]\nroles = [\"a\"]\n[roles.a]\noutbound = \"accept\"", "outbound", "accept", "role a"},
		{"a role without the key does not vote", "[defaults]\noutbound = \"drop\"\n[hosts.h]\nroles = [\"a\"]\n[roles.a]\nping = false", "outbound", "drop", "defaults"},
		{"the host beats all", "[hosts.h]\nroles = [\"a\"]\ninbound = \"reject\"\n[roles.a]\ninbound = \"drop\"", "inbound", "reject", "host h"},

		{"drop over reject", two("inbound", `"drop"`, `"reject"`), "inbound", "drop", "role a"},
		{"drop over accept", two("outbound", `"accept"`, `"drop"`), "outbound", "drop", "role b"},
		{"reject over accept", two("outbound", `"accept"`, `"reject"`), "outbound", "reject", "role b"},
		{"no ping wins", two("ping", "true", "false"), "ping", "false", "role b"},
		{"antispoof wins", two("antispoof", "false", "true"), "antispoof", "true", "role b"},
		{"dhcp_client wins", two("dhcp_client", "false", "true"), "dhcp_client", "true", "role b"},
		{"a limit beats none", two("ping", "true", `"20/s"`), "ping", "20/s per source burst 20", "role b"},
		{"no ping beats a limit", two("ping", `"20/s"`, "false"), "ping", "false", "role b"},
		{"the tighter limit wins", two("ping", `"20/s"`, `"60/min"`), "ping", "60/min per source burst 5", "role b"},
		{"counting all together is tighter", two("ping", `"10/s"`, `"10/s global"`), "ping", "10/s global burst 10", "role b"},
		{"counting a net together is tighter", two("ping", `"10/s"`, `"10/s per net"`), "ping", "10/s per net burst 10", "role b"},
		{"fewer are tighter than together", two("ping", `"10/s global"`, `"5/s"`), "ping", "5/s per source burst 5", "role b"},
		{"a smaller burst is tighter", two("ping", `"10/s burst 20"`, `"10/s burst 10"`), "ping", "10/s per source burst 10", "role b"},
		{"igmp wins", two("igmp", "false", "true"), "igmp", "true", "role b"},
		{"accept_ra wins", two("accept_ra", "false", "true"), "accept_ra", "true", "role b"},
		{"sends_ra wins", two("sends_ra", "false", "true"), "sends_ra", "true", "role b"},
		{"nobody says", "[hosts.h]", "igmp", "false", "default"},
		{"nobody says", "[hosts.h]", "accept_ra", "true", "default"},
		{"nobody says", "[hosts.h]", "sends_ra", "false", "default"},
		{"logging wins", two("log", "false", "true"), "log", "{true }", "role b"},
		{"a named log wins", two("log", "true", `"web"`), "log", "{true web}", "role b"},
		{"equal votes go by name", two("log", `"x"`, `"w"`), "log", "{true x}", "role a"},

		{"the child beats its parent", "[hosts.h]\nroles = [\"a\"]\n[roles.a]\nextends = \"b\"\nping = true\n[roles.b]\nping = false", "ping", "true", "role a"},
		{"the parent is heard", "[hosts.h]\nroles = [\"a\"]\n[roles.a]\nextends = \"b\"\n[roles.b]\nping = false", "ping", "false", "role b"},
		{"of related parents the nearer one", "[hosts.h]\nroles = [\"a\"]\n[roles.a]\nextends = [\"b\", \"c\"]\n[roles.b]\nping = false\n[roles.c]\nextends = \"b\"\nping = true", "ping", "true", "role c"},
		{"unrelated parents that agree", "[hosts.h]\nroles = [\"a\"]\n[roles.a]\nextends = [\"c\", \"b\"]\n[roles.b]\nping = false\n[roles.c]\nping = false", "ping", "false", "role b"},
		{"the standard base", "[defaults]\nroles = [\"base\"]\n[hosts.h]", "ping", "true", "default"},
		{"the standard base leaves it to defaults", "[defaults]\nping = false\nroles = [\"base\"]\n[hosts.h]", "ping", "false", "defaults"},
	} {
		t.Run(tt.name+" "+tt.key, func(t *testing.T) {
			p := compile(t, prelude+tt.fleet+"\n", "h")
			values := map[string]any{"inbound": p.Inbound, "outbound": p.Outbound, "log": p.Log, "ping": pingWord(p.Ping), "dhcp_client": p.DHCPClient, "antispoof": p.Antispoof,
				"igmp": p.IGMP, "accept_ra": p.AcceptRA, "sends_ra": p.SendsRA}
			got, by := fmt.Sprint(values[tt.key]), p.Decided[tt.key]
			if got != tt.want || by.By != tt.by {
				t.Errorf("got %s by %s, want %s by %s", got, by.By, tt.want, tt.by)
			}
			if (by.By == "default") != (by.Place.Line == 0) {
				t.Errorf("decided by %s at %v", by.By, by.Place)
			}
			if len(p.Decided) != len(values) {
				t.Errorf("decisions for %d of %d settings", len(p.Decided), len(values))
			}
		})
	}
}

// two is a host with role a and role b, which disagree.
func two(key, a, b string) string {
	return fmt.Sprintf("[hosts.h]\nroles = [\"b\", \"a\"]\n[roles.a]\n%s = %s\n[roles.b]\n%s = %s", key, a, key, b)
}

func pingWord(p inventory.Ping) string {
	if p.Rate.N > 0 {
		return p.Rate.String()
	}
	return fmt.Sprint(p.On)
}
