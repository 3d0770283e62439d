package commit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Owner is the stamp of the fleet that a host belongs to.
type Owner struct {
	Protocol int
	Fleet    string
	Host     string
	ID       string
}

// Reverted is a transaction that was taken back after its rules had run.
type Reverted struct {
	When time.Time // the host's clock
	TX   string
	Run  string
}

// Drilled is a drill that was taken back.
type Drilled struct {
	Reverted
	Late time.Duration // from the deadline until the old rules ran, by the host's clock; negative if somebody was faster
	By   string        // timer; asked by somebody; or differs: what runs was not what ran before
}

// Proved says whether a timer took it back, by itself and in time, to what ran before.
func (d Drilled) Proved() bool { return d.By == "timer" && d.Late >= 0 && d.Late <= drillGrace }

// Holder is a transaction that is not finished.
type Holder struct {
	TX    string
	State string // staged, armed, applied, confirming, reverting
	Run   string
	Who   string
	From  string        // address of its controller as the host saw it, "" if not told yet
	Left  time.Duration // until it reverts by itself
	Open  bool          // its revert failed: the host has no rules of ours
}

func parseOwner(s string) (*Owner, error) {
	words := strings.Fields(s)
	if len(words) != 4 {
		return nil, fmt.Errorf("the owner stamp %q is not one of ours", clip(s))
	}
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return nil, fmt.Errorf("the owner stamp %q is not one of ours", clip(s))
	}
	return &Owner{Protocol: n, Fleet: words[1], Host: words[2], ID: words[3]}, nil
}

// parseReverted reads "EPOCH TX RUN".
func parseReverted(s string) (*Reverted, error) {
	words := strings.Fields(s)
	if len(words) == 3 && isHex(words[1], 32) {
		if epoch, err := strconv.ParseInt(words[0], 10, 64); err == nil && epoch >= 0 && epoch <= mostNumber {
			return &Reverted{When: time.Unix(epoch, 0), TX: words[1], Run: words[2]}, nil
		}
	}
	return nil, fmt.Errorf("the host told of a revert that makes no sense: %q", clip(s))
}

// parseDrilled reads "EPOCH TX RUN SECONDS BY".
func parseDrilled(s string) (*Drilled, error) {
	words := strings.Fields(s)
	if len(words) == 5 {
		r, err := parseReverted(strings.Join(words[:3], " "))
		late, serr := strconv.Atoi(words[3])
		if err == nil && serr == nil && late > -maxWindow && int64(late) < 1<<31 {
			return &Drilled{Reverted: *r, Late: time.Duration(late) * time.Second, By: words[4]}, nil
		}
	}
	return nil, fmt.Errorf("the host told of a drill that makes no sense: %q", clip(s))
}

// maxWindow is the longest window of a transaction in seconds.
const maxWindow = 3601

// parseHolder reads "TX STATE LEFT RUN OPEN FROM WHO...".
func parseHolder(s string) (Holder, error) {
	words := strings.SplitN(s, " ", 7)
	if len(words) != 7 || !isHex(words[0], 32) {
		return Holder{}, fmt.Errorf("the host told of a transaction that makes no sense: %q", clip(s))
	}
	left, err := strconv.Atoi(words[2])
	if err != nil || left < 0 || left > maxWindow {
		return Holder{}, fmt.Errorf("the host told of a transaction that makes no sense: %q", clip(s))
	}
	return Holder{
		TX: words[0], State: words[1], Left: time.Duration(left) * time.Second,
		Run: words[3], Open: words[4] == "yes", From: strings.TrimPrefix(words[5], "-"), Who: words[6],
	}, nil
}

// setLeft takes the host's word for how long it is until its deadline. More than it was given
// is a lie, and whoever believed it would wait for this host, with all of its group, as long.
func (p *Pending) setLeft(seconds string) {
	if n, err := strconv.Atoi(seconds); err == nil && n >= 0 && n <= maxWindow {
		p.result.Deadline = time.Now().Add(min(time.Duration(n)*time.Second, p.most))
	}
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
