package hostkeys

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"fwpush/internal/ui"
	"fwpush/inventory"
)

// block is hosts that are told of together: they show the same keys, or there is no more
// to say of one than of the other.
type block struct {
	*Host
	names []string
}

// fold makes blocks: new hosts first, then what went wrong, then those that are known.
// A jump host that was not selected and is known is nobody's concern.
func fold(hosts []*Host) []block {
	var blocks []block
	index := map[string]int{}
	for _, h := range hosts {
		if h.OnTheWay && h.Outcome == OutcomeKnown {
			continue
		}
		key := string(h.Outcome) + fmt.Sprint(h.Vouched)
		if h.Outcome == OutcomeNew {
			key += h.fingerprints()
		} else if h.Err != nil {
			key += h.cause()
		}
		i, there := index[key]
		if !there {
			i = len(blocks)
			index[key] = i
			blocks = append(blocks, block{Host: h})
		}
		blocks[i].names = append(blocks[i].names, h.Name)
	}
	slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(a.rank(), b.rank()) })
	return blocks
}

func (b block) rank() int {
	switch b.Outcome {
	case OutcomeNew:
		return 0
	case OutcomeKnown:
		return 2
	}
	return 1
}

func (h *Host) fingerprints() string {
	var list []string
	for _, k := range h.Keys {
		list = append(list, k.Fingerprint)
	}
	return strings.Join(list, " ")
}

// cause is what went wrong without the name and address that stand before it.
func (h *Host) cause() string {
	text := h.Err.Error()
	if _, rest, found := strings.Cut(text, h.Name+" ("); found {
		if _, after, ok := strings.Cut(rest, "): "); ok {
			return after
		}
	}
	return strings.TrimPrefix(text, h.Name+": ")
}

// maxElsewhere is how many other names of a key are told.
const maxElsewhere = 3

// Write tells what the hosts of a stage show.
func Write(w io.Writer, colour ui.Colour, hosts []*Host) error {
	var out strings.Builder
	for _, b := range fold(hosts) {
		who := colour.Bold(fmt.Sprintf("%s (%d)", ui.Safe(inventory.Fold(b.names)), len(b.names)))
		switch b.Outcome {
		case OutcomeNew:
			what := "new"
			if b.OnTheWay {
				what = "new jump host"
			}
			if b.Vouched {
				what += ", as the fingerprints say"
			}
			if len(b.names) == 1 {
				what += ", to be recorded as " + b.Showing.Name
			}
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Yellow("●"), who, ui.Safe(what))
			var table ui.Table
			for _, k := range b.Keys {
				table.Row("    "+k.Type, k.Fingerprint)
			}
			if err := table.Write(&out); err != nil {
				return err
			}
			for _, k := range b.Keys {
				for _, place := range k.Elsewhere[:min(len(k.Elsewhere), maxElsewhere)] {
					fmt.Fprintf(&out, "    its %s key is recorded as %s\n", k.Type, ui.Safe(place))
				}
			}
		case OutcomeKnown:
			fmt.Fprintf(&out, "%s %s   known\n", colour.Dim("○"), who)
		case OutcomeUnreachable, OutcomeBehind:
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Red("✗"), who, ui.Safe(strings.TrimPrefix(b.text(), "behind: ")))
		default:
			fmt.Fprintf(&out, "%s %s   %s\n", colour.Red("✗"), who, colour.Red(strings.ToUpper(string(b.Outcome))+", nothing is recorded"))
			for step := range strings.SplitSeq(b.cause(), "; ") {
				fmt.Fprintf(&out, "    %s\n", ui.Safe(step))
			}
		}
	}
	for _, group := range Shared(hosts) {
		fmt.Fprintf(&out, "%s %s show a key in common: whoever has one of them can pass for the others. They may be made of one image;\n"+
			"    give each keys of its own (rm /etc/ssh/ssh_host_*_key*, ssh-keygen -A, restart sshd), then fwpush trust\n",
			colour.Yellow("!"), ui.Safe(inventory.Fold(Names(group))))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (b block) text() string { return string(b.Outcome) + ": " + b.cause() }
