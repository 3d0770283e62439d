package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/query"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/verdict"
)

// asked are the flags of explain.
// mostWork bounds an answer: some seconds, and a gigabyte or two. Rules that overlap may
// cut all packets to more pieces than there is memory for.
const mostWork = 125_000_000

type asked struct {
	packet, from, to, via string
	in, out               string
	leaves, passes, near  bool
}

func newExplain(c *console, g *globals) *cobra.Command {
	var a asked
	output := oneOf("text", "json")
	cmd := &cobra.Command{
		Use:   "explain HOST --packet PACKET | --from END --to END --packet WHAT",
		Short: "tell what becomes of a packet, and by which rule",
		Long: paragraph(`
		Tell what the rules of a host do with a packet, which rule decides, and where it
		stands in the fleet file. No host is contacted: it is the rules of the file that
		are asked, and the answer is what a host does that runs them.

		A packet is `+query.Syntax+`: "tcp 198.51.100.7 > :443",
		"ping 2001:db8::7 >", "https internet >", "udp set:lan > :53". WHAT is tcp, udp or
		sctp, ping, icmp/TYPE, icmpv6/TYPE, a protocol by name or number, or a service.
		Ends are addresses, prefixes, ranges, references as in rules, internet, or any: the
		answer is for all of them at once, in as many parts as it has. TO is the host if
		nothing is said; with --leaves FROM is.

		With --from and --to the packet is led out of the one, in at the other, and in
		between through --via. --why-not adds the rules that came nearest to deciding
		otherwise, and what in the packet they miss.`) + exitStatus(exitOK, exitConfig),
		Example: `  fwpush explain web1 --packet 'tcp 198.51.100.7 > :443'
  fwpush explain db1 --leaves --packet 'tcp > 203.0.113.9:443' --why-not
  fwpush explain --from role:web@lan --to host:db1 --packet pg`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			host := ""
			if len(args) == 1 {
				host = args[0]
			}
			return c.explainPacket(cmd.Context(), g, host, a, output.v == "json")
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.packet, "packet", "", "the `PACKET` that is asked about")
	f.StringVar(&a.from, "from", "", "`END` that sends it: a host or role of the fleet, or anybody else")
	f.StringVar(&a.to, "to", "", "`END` that gets it")
	f.StringVar(&a.via, "via", "", "`HOST` that forwards it between --from and --to")
	f.StringVar(&a.in, "iface", "", "`INTERFACE` or alias that it comes in by")
	f.StringVar(&a.out, "out-iface", "", "`INTERFACE` or alias that it goes out by, of a packet that passes")
	f.BoolVar(&a.leaves, "leaves", false, "the host sends it")
	f.BoolVar(&a.leaves, "out", false, "the same as --leaves")
	f.BoolVar(&a.passes, "forward", false, "the host passes it on")
	f.BoolVar(&a.near, "why-not", false, "tell which rules came nearest to deciding otherwise")
	addOutput(cmd, output)
	return cmd
}

func (c *console) explainPacket(ctx context.Context, g *globals, host string, a asked, asJSON bool) error {
	f, err := c.load(ctx, g, plan.DNS)
	if err != nil {
		return err
	}
	q, err := a.question(f, host)
	if err != nil {
		return err
	}
	fleet := expect.NewFleet(f.Fleet, f.Policies())
	fleet.Bound(mostWork)
	answers, err := query.Ask(fleet, roles.NamesOf(f.Fleet), q)
	if err != nil {
		return ended(exitConfig, "%v", err)
	}
	if asJSON {
		return ui.WriteJSON(c.out, answersJSON(q, answers, a.near))
	}
	return report.WriteAnswers(c.out, c.outColour, answers, a.near)
}

// question checks that flags fit together.
func (a asked) question(f *plan.File, host string) (query.Question, error) {
	var q query.Question
	bad := func(format string, args ...any) (query.Question, error) {
		return q, ended(exitConfig, format, args...)
	}
	ends := a.from != "" || a.to != ""
	switch {
	case a.packet == "":
		return bad("explain needs --packet, such as --packet 'tcp 198.51.100.7 > :443'")
	case host == "" && (a.from == "" || a.to == ""):
		return bad("explain takes a host, or --from and --to")
	case host != "" && ends:
		return bad("explain takes a host, or --from and --to, and not both")
	case host != "" && a.via != "":
		return bad("--via is for --from and --to; --forward asks what the host passes on")
	case ends && (a.leaves || a.passes):
		return bad("--leaves and --forward are for one host; --from and --to ask at both ends")
	case a.leaves && a.passes:
		return bad("a packet leaves the host or passes through it, not both")
	}
	k, err := query.Parse(roles.NamesOf(f.Fleet), a.packet)
	if err != nil {
		return bad("%v", err)
	}
	if ends && (k.From != "" || k.To != "") {
		return bad("--from and --to say the ends; leave them out of --packet")
	}
	for _, name := range []string{host, a.via} {
		i := slices.IndexFunc(f.Fleet.Hosts, func(h inventory.Host) bool { return h.Name == name })
		if name != "" && (i < 0 || f.Fleet.Hosts[i].Unmanaged) {
			return bad("%s is no host of %s that gets rules", ui.Safe(name), ui.Safe(f.Fleet.Path))
		}
	}
	q = query.Question{Packet: k, Host: host, Direction: roles.Input, From: a.from, To: a.to, Way: expect.Way{Via: a.via, In: a.in, Out: a.out}}
	if a.leaves {
		q.Direction = roles.Output
	}
	if a.passes {
		q.Direction = roles.Forward
	}
	return q, nil
}

// answerJSON is what explain prints with -o json. Verdict, host, direction, rule and
// place are those of the answer that decides: the first that is not an accept, else
// the last.
type answerJSON struct {
	Schema int `json:"schema"`
	stepJSON
	Asked string     `json:"asked"`
	Steps []stepJSON `json:"steps"`
}

type stepJSON struct {
	Verdict   inventory.Verdict `json:"verdict"`
	Host      string            `json:"host"`
	Direction roles.Direction   `json:"direction"`
	Rule      string            `json:"rule"`
	Place     string            `json:"place"`
	Packet    string            `json:"packet"`
	Stage     verdict.Stage     `json:"stage"`
	Why       string            `json:"why"`
	Limit     string            `json:"limit,omitempty"`
	Nearest   []nearJSON        `json:"nearest,omitempty"`
}

type nearJSON struct {
	Rule   string         `json:"rule"`
	Place  string         `json:"place"`
	Misses []verdict.Part `json:"misses"`
}

func answersJSON(q query.Question, answers []query.Answer, near bool) answerJSON {
	out := answerJSON{Schema: 1, Asked: q.Text}
	for _, a := range answers {
		s := stepJSON{Verdict: a.Verdict, Host: a.Host, Direction: a.Direction, Place: a.Place.String(),
			Packet: expect.Sample(a.Packets), Stage: a.Stage, Why: a.Why(), Limit: a.Limited()}
		if a.Rule != nil {
			s.Rule = a.Rule.Name
		}
		if near {
			for _, m := range a.Nearest() {
				s.Nearest = append(s.Nearest, nearJSON{m.Rule.Name, fmt.Sprint(m.Rule.Place), append([]verdict.Part{}, m.Parts...)})
			}
		}
		out.Steps = append(out.Steps, s)
	}
	out.stepJSON = out.Steps[len(out.Steps)-1]
	if i := slices.IndexFunc(out.Steps, func(s stepJSON) bool { return s.Verdict != inventory.Accept }); i >= 0 {
		out.stepJSON = out.Steps[i]
	}
	return out
}
