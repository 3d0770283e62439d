package render

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"fwpush/inventory"
)

// Layout is the frame of a table: what a new ruleset can be loaded into, or
// has to take away first.
type Layout struct {
	Exists bool
	Base   []BaseChain
	Chains []string // regular chains, the marker among them
	Sets   []Set
	// Objects are what rules name beside sets: "counter c_web", "ct helper h_ftp".
	Objects []string
	Marker  string // the marker chain, "" if there is none
}

// BaseChain is a chain with a hook.
type BaseChain struct {
	Name, Type, Hook string
	Priority         int // "filter - 10" is -10
	Policy           inventory.Verdict
}

// Set is the declaration of a named set, without its elements.
type Set struct {
	Name    string
	Type    string // "ipv4_addr"
	Flags   string // as listed: "interval"
	Size    string
	Timeout string
}

// dynamic tells whether packets or time change the elements of the set.
func (s Set) dynamic() bool {
	return s.Timeout != "" || strings.Contains(s.Flags, "dynamic") || strings.Contains(s.Flags, "timeout")
}

// sameAs compares what cannot be changed in place. The policy can.
func (c BaseChain) sameAs(o BaseChain) bool {
	o.Policy = c.Policy
	return c == o
}

// ParseLayout reads what `nft -s list table inet fwpush` prints on nft 0.9.8 to
// 1.1.3; no text is no table. Rules are passed over. The error tells the first
// line that is not understood (a map, a flowtable, a table flag, a device): then
// nothing is known about the table but that it has to be replaced as a whole.
// It quotes the host, and a terminal must be guarded from it.
func ParseLayout(listing string) (Layout, error) {
	if len(listing) > maxListing {
		return Layout{}, fmt.Errorf("the listing is %d bytes long, at most %d are read", len(listing), maxListing)
	}
	s := &scanner{rest: onLines(listing)}
	head, ok, err := s.statement()
	if err != nil || !ok {
		return Layout{}, err
	}
	if head != "table "+tableName+" {" {
		return Layout{}, s.odd(head)
	}
	l := Layout{Exists: true}
	seen := map[string]bool{}
	for {
		head, ok, err := s.statement()
		switch {
		case err != nil:
			return Layout{}, err
		case !ok:
			return Layout{}, errors.New("the listing ends inside the table")
		case head == "}":
			if strings.TrimSpace(s.rest) != "" {
				return Layout{}, fmt.Errorf("line %d: the listing goes on after the table", s.n+1)
			}
			return l, nil
		}
		kind, name, ok := opening(head)
		if !ok || seen[kind+name] {
			return Layout{}, s.odd(head)
		}
		seen[kind+name] = true
		switch kind {
		case "set":
			err = l.readSet(s, name)
		case "chain":
			err = l.readChain(s, name)
		default:
			err = l.readObject(s, kind+" "+name)
		}
		if err != nil {
			return Layout{}, err
		}
	}
}

var openingLine = regexp.MustCompile(`^(set|chain|counter|ct helper) ([A-Za-z_][A-Za-z0-9_./-]{0,254}) \{$`)

func opening(l string) (kind, name string, ok bool) {
	m := openingLine.FindStringSubmatch(l)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// readObject passes over what an object is: of the same name it is the same, since
// names of helpers say their kind.
func (l *Layout) readObject(s *scanner, object string) error {
	for {
		st, err := body(s)
		switch {
		case err != nil:
			return err
		case st == "}":
			l.Objects = append(l.Objects, object)
			return nil
		case !objectLine.MatchString(st):
			return s.odd(st)
		}
	}
}

var objectLine = regexp.MustCompile(`^(packets [0-9]+ bytes [0-9]+|type "[a-z0-9-]{1,16}" protocol (tcp|udp)|l3proto (ip|ip6|inet))$`)

// onLines puts the brace on a line of its own that nft 0.9.8 writes behind what a
// counter has counted.
func onLines(listing string) string {
	if !strings.Contains(listing, "\n\t\tpackets ") {
		return listing // as nearly all are; to look at each line takes longer than all else here
	}
	return braceBehind.ReplaceAllString(listing, "$1\n\t}")
}

var braceBehind = regexp.MustCompile(`(?m)^(\t\tpackets [0-9]+ bytes [0-9]+)\t\}$`)

func (l *Layout) readSet(s *scanner, name string) error {
	set := Set{Name: name}
	for {
		st, err := body(s)
		if err != nil {
			return err
		}
		if st == "}" {
			l.Sets = append(l.Sets, set)
			return nil
		}
		word, value, _ := strings.Cut(st, " ")
		field, known := map[string]*string{
			"type": &set.Type, "flags": &set.Flags, "size": &set.Size, "timeout": &set.Timeout,
		}[word]
		switch {
		case word == "flags" && !knownFlags.MatchString(value):
			return s.odd(st)
		case known && *field == "" && plainValue.MatchString(value):
			*field = value
		case strings.HasPrefix(st, "elements = {"):
		default:
			return s.odd(st)
		}
	}
}

// knownFlags leaves out constant: the kernel refuses to flush such a set.
var knownFlags = regexp.MustCompile(`^(interval|dynamic|timeout)(,(interval|dynamic|timeout))*$`)

var plainValue = regexp.MustCompile(`^[a-z0-9_,. ]{1,200}$`)

func (l *Layout) readChain(s *scanner, name string) error {
	st, err := body(s)
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(st, "comment "):
		return s.odd(st)
	case strings.HasPrefix(st, "type "):
		base, ok := parseBase(name, st)
		if !ok {
			return s.odd(st)
		}
		l.Base = append(l.Base, base)
	default:
		l.Chains = append(l.Chains, name)
		if isMarker(name) {
			l.Marker = name
		}
	}
	for st != "}" {
		if st, err = body(s); err != nil {
			return err
		}
	}
	return nil
}

// body is the next statement inside a block.
func body(s *scanner) (string, error) {
	st, ok, err := s.statement()
	if err != nil {
		return "", err
	}
	if !ok || isOpening(st) {
		return "", fmt.Errorf("line %d: a block does not end", s.n)
	}
	return st, nil
}

var baseLine = regexp.MustCompile(`^type (filter|nat|route) hook ([a-z]{1,20}) priority (?:([a-z]{1,20})(?: ([+-]) ([0-9]{1,9}))?|(-?[0-9]{1,9})); policy (accept|drop);$`)

// priorities are nft's names for priorities in the inet family (nft(8),
// "Standard priority names").
var priorities = map[string]int{"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}

func parseBase(name, l string) (BaseChain, bool) {
	m := baseLine.FindStringSubmatch(l)
	if m == nil {
		return BaseChain{}, false
	}
	c := BaseChain{Name: name, Type: m[1], Hook: m[2], Policy: inventory.Verdict(m[7])}
	if m[6] != "" {
		c.Priority, _ = strconv.Atoi(m[6]) // nine digits at most
		return c, true
	}
	named, ok := priorities[m[3]]
	offset, _ := strconv.Atoi(m[4] + m[5]) // "-10", or empty for none
	c.Priority = named + offset
	return c, ok
}
