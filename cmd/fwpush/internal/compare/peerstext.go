package compare

import (
	"fmt"
	"io"
	"strings"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// WritePeers prints hosts by their roles: those that run the same, then those that do
// not, with the difference. Without lines each group is one line.
func WritePeers(w io.Writer, colour ui.Colour, p *Peers, lines bool) error {
	var out strings.Builder
	for _, s := range p.sets {
		fmt.Fprintf(&out, "%s\n", colour.Bold(ui.Safe(s.title())))
		for i, g := range s.groups {
			mark := colour.Dim("○")
			if i > 0 {
				mark = colour.Yellow("●")
			}
			fmt.Fprintf(&out, "%s %s (%d)   %s\n", mark, colour.Bold(inventory.Fold(g.names)), len(g.names), ui.Safe(strings.Join(s.words(g), "   ")))
			for _, d := range g.diffs {
				if lines {
					writeDiff(&out, colour, d.Text, "")
				}
			}
		}
	}
	for _, g := range fold(p.trouble) {
		g.writeTrouble(&out, colour)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (s *peerSet) title() string {
	if s.roles == "" {
		return fmt.Sprintf("no roles (%d)", s.hosts)
	}
	return fmt.Sprintf("roles %s (%d)", s.roles, s.hosts)
}

// words are what stands beside the names of a group.
func (s *peerSet) words(g *peerGroup) []string {
	var words []string
	switch {
	case g.like != "":
		if l := g.lines(); l != "" {
			words = append(words, l)
		}
	case s.hosts == 1:
		words = append(words, "no other host with these roles")
	case len(s.groups) == 1:
		words = append(words, "all the same")
	case 2*len(g.names) > s.hosts:
		words = append(words, "the most")
	default:
		words = append(words, "no majority; the others are compared with these")
	}
	if g.digest != "" && g.like == "" {
		words = append(words, short(g.digest))
	}
	return append(words, g.remarks()...)
}

// PeerHosts are the hosts for programs: the difference is that from the most.
func PeerHosts(p *Peers) []report.Host {
	hosts := make([]report.Host, len(p.results))
	for i, r := range p.results {
		g := p.at[r.Name]
		if g == nil {
			hosts[i] = report.HostOf(r, "")
			continue
		}
		text := ""
		for _, d := range g.diffs {
			text += d.Text
		}
		r.Notes = append(r.Notes[:len(r.Notes):len(r.Notes)], g.remarks()...)
		hosts[i] = report.HostOf(r, text)
		hosts[i].Like = g.like
	}
	return hosts
}
