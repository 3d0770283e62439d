package commit

import (
	"regexp"
	"slices"
	"strings"

	"fwpush/internal/foreign"
)

// Foreign is what is loaded on a host beside the rules of fwpush.
type Foreign struct {
	foreign.Ruleset
	// Unread is "" or why some of it could not be looked into. Base chains that are known of are
	// in the ruleset nevertheless, with a rule that may do anything.
	Unread string
}

// byNft is what no rule of iptables has in the words of nft -j: iptables-save leaves it out of a rule, and
// tells the rest.
var byNft = regexp.MustCompile(`"(set|map|vmap)": ?|"range": ?\["`)

// readForeign reads the section "foreign": listings under lines "#: WHAT". Chains is what nft told
// of all tables, for those that no listing has.
func readForeign(section, chains, xtError string) Foreign {
	var f Foreign
	if xtError != "" {
		f.Unread = "iptables cannot list its rules"
	}
	var nft foreign.Ruleset
	var saves []foreign.Ruleset
	var made []*foreign.Table // by nft, whatever iptables tells of them
	for listing := range strings.SplitSeq("\n"+section, "\n#: ") {
		head, text, _ := strings.Cut(listing, "\n")
		var rs foreign.Ruleset
		var err error
		switch words := strings.Fields(head); {
		case len(words) == 2 && words[0] == "iptables":
			rs, err = foreign.ParseSave(text, foreign.IPv4, words[1] == "legacy")
			saves = append(saves, rs)
		case len(words) == 2 && words[0] == "ip6tables":
			rs, err = foreign.ParseSave(text, foreign.IPv6, words[1] == "legacy")
			saves = append(saves, rs)
		case head == "nft":
			// The host broke its one long line, between objects and perhaps inside of a name.
			if text = strings.ReplaceAll(text, "\n", ""); text != "" {
				rs, err = foreign.ParseNft(text)
				if byNft.MatchString(text) {
					made = append(made, rs.Tables...)
				}
				nft.Tables = append(nft.Tables, rs.Tables...)
			}
		case head == "large":
			f.Unread = foreign.ErrTooLarge.Error()
		case head == "silent":
			f.Unread = "nft -j cannot list it"
		}
		if err != nil {
			f.Unread = err.Error()
		}
	}
	for _, t := range made {
		for i := range saves {
			saves[i].Tables = slices.DeleteFunc(saves[i].Tables, func(s *foreign.Table) bool { return !s.Legacy && s.Family == t.Family && s.Name == t.Name })
		}
	}
	f.Ruleset = foreign.Join(foreign.Join(foreign.ParseChains(chains), nft), saves...).Without(ourTables(), ourChains())
	return f
}

// Behind is what in INPUT and FORWARD refuses, or jumps to where it may: "INPUT f2b-sshd". It stands
// behind our jump, if not yet then after a load, which puts that first.
func (f Foreign) Behind() []string {
	var list []string
	for _, t := range f.Tables {
		if t.Engine != foreign.Iptables || t.Name != "filter" {
			continue
		}
		for _, c := range t.Chains {
			if c.Base == nil || c.Name == "OUTPUT" {
				continue
			}
			for _, r := range c.Rules {
				to := r.Verdict.Chain
				switch r.Verdict.Kind {
				case foreign.Drop:
					to = "DROP"
				case foreign.Reject:
					to = "REJECT"
				}
				if text := c.Name + " " + to; to != "" && !slices.Contains(list, text) && len(list) < 20 {
					list = append(list, text)
				}
			}
		}
	}
	return list
}

func ourTables() []string { return []string{"inet fwpush"} }
func ourChains() []string { return []string{"FWPUSH-*"} }
