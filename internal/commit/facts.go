package commit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fwpush/render"
)

// Facts is what a host says about itself. Every field is the host's word and
// no more: it may lie, and facts never widen what a host is given.
type Facts struct {
	Protocol   int
	UID        int
	Hostname   string
	BootID     string
	Connection string        // SSH_CONNECTION as the host's sshd told it
	Unaged     bool          // no process is known that serves it: none could prove that it is new
	Uptime     time.Duration // of the host's clock that timers count on
	Skew       time.Duration // host's wall clock minus the controller's
	Tracked    int           // connections that the kernel tracks; 0 where it tracks none
	Trackable  int           // and how many it can
	Tools      []string      // of nft, at, unshare and what else may be needed: those found
	Systemd    bool
	NFT        string    // "nftables v1.0.6 (Lester Gooch #5)", or "none"
	Probe      string    // how nft took a fixed table: "ok", "failed WHY", or "" where nobody asked
	Iptables   string    // "iptables v1.8.9 (nf_tables)", "none", or "" where nobody asked
	IPv6       bool      // the kernel has it; told with Iptables
	Ipset      bool      // sets can be made and rules can refer to them; told with Iptables
	Engines    string    // "" or which two variants of iptables filter at once
	Stray      string    // "" or the same where chains of ours are in the one that the host has not chosen
	Loader     string    // sha256 of the boot loader for iptables, "" if there is none
	Exclusive  bool      // a boot takes home-made rules away
	Home       []string  // home-made rules, as iptables -S and nft list table print them; told where the mode asks for it
	HomeLines  int       // and how many there are, of which those are the first
	HomeSum    string    // sha256 of all of them
	HomeFwd    bool      // they say what may pass through the host, and it forwards packets
	HomeStuck  []string  // why some of them could not be taken away
	Unit       string    // ok, differs, disabled, absent, or none where neither systemd nor OpenRC runs
	OpenRC     bool      // it is the host's init
	FellBack   bool      // the last boot could not load the boot file, and tried the rules before
	Owner      *Owner    // nil if no fleet ever confirmed anything here
	LastRevert *Reverted // the last revert that fired, nil if none ever did
	LastDrill  *Drilled  // the last drill that was taken back, nil if there was none
	Pending    *Holder
	Generation int               // newest confirmed one, 0 if none
	Meta       map[string]string // of that generation: tx, run, when, by
	Running    string            // listing of what runs of ours in nftables, iptables or both; "" if nothing does
	NFTError   string            // why nft could not list
	XTError    string            // why iptables could not
	Boot       string            // boot file, "" if there is none
	Rules      string            // stored confirmed text
	Policy     string            // of the candidate that was confirmed, "" if none is kept
	// PolicySame is for one that is the caller's, and then not told.
	PolicySame bool
	Canon      string // the host's own listing of it, by the nft that runs now
	CanonKnown bool   // false: that listing cannot be had, drift is unknown
	Chains     string // every chain of every table, as nft lists them
	Foreign    Foreign
	listings   string // of others, as they were told
}

// Drifted says whether the running rules differ from the confirmed ones; known
// is false where that cannot be told.
func (f Facts) Drifted() (drifted, known bool) {
	if f.Generation == 0 || !f.CanonKnown {
		return false, false
	}
	return !sameRules(f.Running, f.Canon), true
}

// Stored says whether the newest generation is really the host's: one that it
// would not boot may be left of a confirm that could not be made to last.
func (f Facts) Stored() bool { return f.Generation > 0 && f.Rules == f.Boot }

// sameRules compares two listings by their meaning: nft lists chains and sets in
// the order in which the kernel got them, and after a boot that is another one
// than after a load that kept chains.
func sameRules(a, b string) bool {
	return a == b || render.Canonical(a) == render.Canonical(b)
}

// Runs says whether the host runs exactly this text, in all four ways: running
// rules, stored confirmed rules, boot file, boot unit.
func (f Facts) Runs(text string) bool {
	drifted, known := f.Drifted()
	return known && !drifted && f.Rules == text && f.Boot == text && f.BootReady()
}

// Absent says whether nothing of ours is on the host.
func (f Facts) Absent() bool {
	return f.Running == "" && f.NFTError == "" && f.XTError == "" && f.Owner == nil && f.Boot == "" && f.Generation == 0 &&
		(f.Unit == "absent" || f.Unit == "none")
}

// BootReady says whether the boot unit would load the boot file, as far as the
// host has an init system that fwpush knows.
func (f Facts) BootReady() bool {
	if f.Unit != "ok" && f.Unit != "none" {
		return false
	}
	if !f.Exclusive && render.BackendOf(f.Boot) != render.BackendIptables {
		return true // nft alone does it
	}
	return f.Loader == LoaderSum(ModeSame.on(f))
}

// LoaderSum is the Loader of a host that has this version's.
func LoaderSum(m Mode) string {
	sum := sha256.Sum256([]byte(bootProgram(m)))
	return hex.EncodeToString(sum[:])
}

// BootCommand is what loads the confirmed rules on a host that fwpush has no boot unit
// for, in the words of its shell.
func (f Facts) BootCommand(asked render.Backend) string {
	if c, _ := f.Choose(asked); c.Backend == render.BackendIptables || f.Exclusive {
		return "sh /var/lib/fwpush/load.sh start"
	}
	return "nft -f /var/lib/fwpush/boot.nft || nft -f /var/lib/fwpush/boot.prev"
}

// runsIptables says whether chains of ours are loaded in iptables.
func (f Facts) runsIptables() bool {
	_, xt := render.SplitListing(f.Running)
	return xt != ""
}

// errTold are the ways a host ends the telling of facts early.
var (
	errHeld  = errors.New("held by another run")
	errStuck = errors.New("an earlier revert cannot be finished")
)

// refusedError is a refusal the host explained: "STAGE text".
type refusedError struct {
	stage Stage
	text  string
}

func (e *refusedError) Error() string { return e.text }

// hint is what to do about a refusal whose text does not say all of it.
func (e *refusedError) hint() string {
	switch {
	case e.stage == StageStage && strings.Contains(e.text, "Read-only file system"):
		return "mount -o remount,rw what it is on, or mount a file system there that can be written"
	case e.stage == StageStage && strings.Contains(e.text, "is the disk full?"):
		return "make room there: df -h /run /var/lib/fwpush"
	case e.stage != StageArm:
		return ""
	case strings.HasPrefix(e.text, "1 of 2 timers"):
		return "mend one of the others, or accept the one with timers = 1 in the table of this host"
	case strings.Contains(e.text, " timers could be proved"):
		return "mend one of these: nothing would take the rules back"
	}
	return ""
}

func refusal(rest string) *refusedError {
	word, text, _ := strings.Cut(rest, " ")
	e := &refusedError{stage: StageInspect, text: text}
	switch word {
	case "stage", "check", "claim":
		e.stage = StageStage
	case "arm":
		e.stage = StageArm
	case "stop":
		e.stage = StageStage
	case "fresh", "commit", "extend":
		e.stage = StageConfirm
	case "persist":
		e.stage = StagePersist
	case "state", "protocol":
		e.stage = StageInspect
	default:
		e.text = rest
	}
	return e
}

// telling puts facts together, line by line.
type telling struct {
	mark    string
	facts   Facts
	section string // whose raw lines are being heard, "" if none
	raw     strings.Builder
	told    bool // the marker was seen: what came before is a banner

	settling bool // the host just began to finish an earlier transaction
	settled  bool // it said so once
}

// hear takes one line. done means that the host asks for a word; an error, that
// it will not.
func (t *telling) hear(line string) (done bool, err error) {
	said, ours := strings.CutPrefix(line, t.mark)
	if !ours {
		if t.section != "" {
			t.raw.WriteString(line)
			t.raw.WriteByte('\n')
		}
		return false, nil
	}
	if t.section != "" {
		t.facts.take(t.section, t.raw.String())
		t.section = ""
		t.raw.Reset()
	}
	word, rest, _ := strings.Cut(strings.TrimPrefix(said, " "), " ")
	switch word {
	case "section":
		t.section = rest
	case "settling":
		t.settling, t.settled = !t.settled, true
	case "held":
		h, err := parseHolder(rest)
		if err != nil {
			return false, err
		}
		t.facts.Pending = &h
		return false, errHeld
	case "stuck":
		return false, fmt.Errorf("%w: %s", errStuck, rest)
	case "refused":
		return false, refusal(rest)
	case "ask":
		if !t.told {
			return false, errors.New("the host asked before it told anything")
		}
		return true, nil
	default:
		t.told = true
		return false, t.facts.learn(word, rest)
	}
	return false, nil
}

// mostNumber is more than any number that a host tells: seconds of two centuries, which are a
// time.Duration yet.
const mostNumber = 1 << 33

func (f *Facts) learn(key, value string) error {
	var err error
	number := func() (n int) {
		if n, err = strconv.Atoi(value); err != nil || n < 0 || int64(n) > mostNumber {
			n, err = 0, fmt.Errorf("the host said %q for %s: not a number that makes sense", clip(value), key)
		}
		return n
	}
	switch key {
	case "proto":
		f.Protocol = number()
	case "uid":
		f.UID = number()
	case "host":
		f.Hostname = value
	case "bootid":
		f.BootID = value
	case "connection":
		f.Connection = value
	case "uptime":
		f.Uptime = time.Duration(number()) * time.Second
	case "clock":
		f.Skew = time.Until(time.Unix(int64(number()), 0)).Round(time.Second)
	case "tracked":
		f.Tracked = number()
	case "trackable":
		f.Trackable = number()
	case "tools":
		f.Tools = strings.Fields(value)
	case "systemd":
		f.Systemd = value == "yes"
	case "nft":
		f.NFT = value
	case "probe":
		f.Probe = value
	case "iptables":
		f.Iptables = value
	case "ipv6":
		f.IPv6 = value == "yes"
	case "ipset":
		f.Ipset = value == "ok"
	case "engines":
		f.Engines = value
	case "stray":
		f.Stray = value
	case "loader":
		f.Loader = value
	case "exclusive":
		f.Exclusive = value == "yes"
	case "homelines":
		f.HomeLines = number()
	case "homeforwards":
		f.HomeFwd = value == "yes"
	case "homesum":
		f.HomeSum = value
	case "unit":
		f.Unit = value
	case "owner":
		f.Owner, err = parseOwner(value)
	case "lastrevert":
		// A line cut short by a full disk is no reason not to talk to a host.
		f.LastRevert, _ = parseReverted(value)
	case "lastdrill":
		f.LastDrill, _ = parseDrilled(value)
	case "init":
		f.OpenRC = value == "openrc"
	case "booted":
		f.FellBack = value == "previous"
	case "unaged":
		f.Unaged = true
	case "generation":
		f.Generation = number()
	case "pending":
		var h Holder
		if h, err = parseHolder(value); err == nil {
			f.Pending = &h
		}
	case "rules":
		f.Rules = f.Boot // "same"
	case "policy":
		f.PolicySame = value == "same"
	case "canon":
		if value == "same" {
			f.Canon, f.CanonKnown = f.Running, true
		}
	}
	return err // a key of a later version is no reason to stop
}

func (f *Facts) take(section, text string) {
	switch section {
	case "running":
		f.Running = text
	case "home":
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if why, stuck := strings.CutPrefix(line, "refuse "); stuck {
				f.HomeStuck = append(f.HomeStuck, why)
			} else {
				f.Home = append(f.Home, line)
			}
		}
	case "nfterror":
		f.NFTError = text
	case "xterror":
		f.XTError = text
	case "boot":
		f.Boot = text
	case "rules":
		f.Rules = text
	case "policy":
		f.Policy = strings.TrimSuffix(text, "\n")
	case "canon":
		f.Canon, f.CanonKnown = text, true
	case "chains":
		f.Chains = text
		f.Foreign = readForeign(f.listings, text, f.XTError) // told before
	case "foreign":
		f.listings = text
	case "meta":
		f.Meta = make(map[string]string)
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			f.Meta[key] = value
		}
	}
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
