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
	"fwpush/roles/space"
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
	published             bool
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

		A packet is `+query.Syntax+`, or WHAT alone where --from and --to
		say the ends, or nothing is known of them: "tcp 198.51.100.7 > :443",
		"tcp/443 198.51.100.7 >", "ping 2001:db8::7 >", "https internet >", "udp ops > :53".
		WHAT is tcp, udp or sctp, with the port at the end or as tcp/PORT; ping, icmp/TYPE,
		icmpv6/TYPE, proto/NUMBER, a protocol by name, or a service. FROM, TO and END are
		addresses, prefixes, ranges, references as in rules, internet, controller, any, or
		the name of a host, a role, a set or a group, with @NET behind it for one net: the
		answer is for all of them at once, in as many parts as it has. A name of two kinds is
		written host:NAME or role:NAME. TO is the host if nothing is said; with --leaves FROM
		is.

		With --from and --to the packet is led out of the one, in at the other, and in
		between through --via, behind whose nat it has another source. --iface and
		--out-iface are interfaces of --via, else of the ends. --why-not adds the rules that
		came nearest to deciding otherwise, and what in the packet they miss.

		With -o json, verdict, host, direction, rule, place and packet at the top are those
		of the worst step: drop, reject, undecided, accept, in this order, and of several the
		first on the way.`) + exitStatus(exitOK, exitConfig),
		Example: `  fwpush explain web1 --packet 'tcp 198.51.100.7 > :443'
  fwpush explain db1 --leaves --packet 'tcp > 203.0.113.9:443' --why-not
  fwpush explain --from app1 --to db1@lan --packet pg`,
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
	f.StringVar(&a.from, "from", "", "`END` that sends it: a host, a role, or anybody else")
	f.StringVar(&a.to, "to", "", "`END` that gets it")
	f.StringVar(&a.via, "via", "", "`HOST` that forwards it between --from and --to")
	f.StringVar(&a.in, "iface", "", "`INTERFACE` or alias that it comes in by")
	f.StringVar(&a.out, "out-iface", "", "`INTERFACE` or alias that it goes out by, of a packet that leaves or passes")
	f.BoolVar(&a.leaves, "leaves", false, "the host sends it")
	f.BoolVar(&a.leaves, "out", false, "the same as --leaves")
	f.BoolVar(&a.passes, "forward", false, "the host passes it on")
	f.BoolVar(&a.published, "published", false, "the host hands it on, as Docker does with the ports it publishes")
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
	reply, err := query.Ask(fleet, roles.NamesOf(f.Fleet), q)
	if err != nil {
		return ended(exitConfig, "%v", err)
	}
	reply.Notes = append(reply.Notes, pastInput(f.Fleet.Hosts, reply)...)
	if asJSON {
		return ui.WriteJSON(c.out, answersJSON(q, reply, a.near))
	}
	return report.WriteAnswers(c.out, c.outColour, reply, a.near)
}

// pastInput tells of hosts that may hand the packet on before their input is asked.
func pastInput(hosts []inventory.Host, reply query.Reply) []string {
	var names []string
	for _, h := range hosts {
		publishes := slices.ContainsFunc(h.Coexist, func(w inventory.At[string]) bool { return w.V == "docker" || w.V == "podman" })
		if publishes && slices.ContainsFunc(reply.Answers, func(a query.Answer) bool { return a.Host == h.Name && a.Direction == roles.Input }) {
			names = append(names, h.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("a port that a container publishes on %s does not come here; --published asks about those", inventory.Fold(names))}
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
	case a.published && (a.leaves || a.passes):
		return bad("--published is about packets that come to the host, and the host hands them on")
	case a.leaves && a.in != "":
		return bad("a packet that leaves comes in by no interface; --out-iface is the one it goes out by")
	case host != "" && a.out != "" && !a.leaves && !a.passes:
		return bad("a packet for the host goes out by no interface; ask with --forward or --leaves")
	}
	k, err := query.Parse(roles.NamesOf(f.Fleet), a.packet)
	if err != nil {
		return bad("%v", err)
	}
	if ends && (k.From != "" || k.To != "") {
		return bad("--from and --to say the ends; leave them out of --packet")
	}
	for _, name := range []*string{&host, &a.via} {
		if *name == "" {
			continue
		}
		members, err := choose(f, inventory.Selection{Named: *name})
		switch {
		case err != nil:
			return q, err
		case len(members) > 1:
			return bad("%s names %d hosts, explain takes one", ui.Safe(*name), len(members))
		}
		*name = members[0].Host.Name
	}
	q = query.Question{Packet: k, Host: host, Direction: roles.Input, From: a.from, To: a.to, Way: expect.Way{Via: a.via, In: a.in, Out: a.out, Published: a.published}}
	if a.leaves {
		q.Direction = roles.Output
	}
	if a.passes {
		q.Direction = roles.Forward
	}
	if a.published {
		q.Direction = roles.Published
	}
	return q, nil
}

// answerJSON is what explain prints with -o json. At the top stand verdict, host,
// direction and so on of the worst step.
type answerJSON struct {
	Schema int `json:"schema"`
	stepJSON
	Asked string     `json:"asked"`
	Steps []stepJSON `json:"steps"`
	Notes []string   `json:"notes,omitempty"` // on the question
}

type stepJSON struct {
	Verdict   inventory.Verdict `json:"verdict"`
	Host      string            `json:"host"`
	Direction roles.Direction   `json:"direction"`
	Rule      string            `json:"rule"`
	Place     string            `json:"place"`
	Packet    string            `json:"packet"` // one of them
	Stage     verdict.Stage     `json:"stage"`
	Why       string            `json:"why"`
	Limit     string            `json:"limit,omitempty"`
	Limits    []limitJSON       `json:"limits,omitempty"`
	From      []string          `json:"from"` // prefixes and ranges
	To        []string          `json:"to"`
	Services  []string          `json:"services"`
	Iface     string            `json:"iface,omitempty"` // "any but eth0"; left out for any
	OutIface  string            `json:"out_iface,omitempty"`
	Behind    string            `json:"behind,omitempty"` // the nat that gave them their source
	Comment   string            `json:"comment,omitempty"`
	Owner     string            `json:"owner,omitempty"`
	Ticket    string            `json:"ticket,omitempty"`
	Nearest   []nearJSON        `json:"nearest,omitempty"`
}

// limitJSON is a limit of others than what decides.
type limitJSON struct {
	By    string `json:"by"`
	Place string `json:"place"`
	Limit string `json:"limit"`
	Part  bool   `json:"part"` // it counts only some of the packets
}

type nearJSON struct {
	Rule   string         `json:"rule"`
	Place  string         `json:"place"`
	Misses []verdict.Part `json:"misses"`
}

// worst are verdicts from the one that tells most of what does not pass.
var worst = []inventory.Verdict{inventory.Drop, inventory.Reject, verdict.Undecided, inventory.Accept}

func answersJSON(q query.Question, reply query.Reply, near bool) answerJSON {
	out := answerJSON{Schema: 1, Asked: q.Text, Notes: reply.Notes}
	for _, a := range reply.Answers {
		out.Steps = append(out.Steps, oneStep(a, near))
	}
	out.stepJSON = slices.MinFunc(out.Steps, func(a, b stepJSON) int {
		return slices.Index(worst, a.Verdict) - slices.Index(worst, b.Verdict)
	})
	return out
}

func oneStep(a query.Answer, near bool) stepJSON {
	b := a.Packets
	s := stepJSON{Verdict: a.Verdict, Host: a.Host, Direction: a.Direction, Place: a.Place.String(),
		Packet: expect.Sample(b), Stage: a.Stage, Why: a.Why(), Limit: a.Limited(),
		From: space.Ranges(b.Src), To: space.Ranges(b.Dst), Services: a.Services(), Iface: b.In.Words(), OutIface: b.Out.Words()}
	if a.Behind != nil {
		s.Behind = a.Behind.String()
	}
	if r := a.Rule; r != nil {
		s.Rule, s.Comment, s.Owner, s.Ticket = r.Name, r.Comment, r.Owner, r.Ticket
	}
	for _, l := range a.Limits() {
		s.Limits = append(s.Limits, limitJSON{l.By, l.Place.String(), l.Text, l.Part})
	}
	if near {
		for _, m := range a.Nearest() {
			s.Nearest = append(s.Nearest, nearJSON{m.Rule.Name, fmt.Sprint(m.Rule.Place), append([]verdict.Part{}, m.Parts...)})
		}
	}
	return s
}
