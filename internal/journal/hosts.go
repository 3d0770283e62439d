package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"fwpush/internal/ui"
)

// KnownHost is a host that has, or may have, rules of a fleet on it.
type KnownHost struct {
	SSH     Endpoint  `json:"ssh"`
	Run     string    `json:"run"`     // the last one that left something there
	Outcome string    `json:"outcome"` // of that run
	Digest  string    `json:"digest"`  // of the rules that were confirmed last, "" if none were
	At      time.Time `json:"at"`
}

// known is the index: hosts by name, by name of their fleet.
type known struct {
	Schema int                             `json:"schema"`
	Fleets map[string]map[string]KnownHost `json:"fleets"`
}

const (
	maxIndex = 64 << 20
	// indexPatience is how long the end of a run waits for another one's.
	indexPatience = 10 * time.Second
)

// errDamaged is an index that cannot be understood.
var errDamaged = errors.New("is damaged")

// Hosts are the hosts that have rules of a fleet, as far as this state directory knows,
// by name. With an error, such as of a damaged index, there are none of them, and it is
// worth a word, no more.
func (s *Store) Hosts(fleet string) (map[string]KnownHost, error) {
	root, err := s.root()
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]KnownHost{}, nil
	}
	if err != nil {
		return map[string]KnownHost{}, err
	}
	defer root.Close()
	k, err := readIndex(root)
	if err != nil {
		err = fmt.Errorf("%s in %s: %w", hostsFile, s.dir, err)
	}
	hosts := k.Fleets[fleet]
	if hosts == nil {
		hosts = map[string]KnownHost{}
	}
	return hosts, err
}

func readIndex(root *os.Root) (known, error) {
	none := known{Schema: schema, Fleets: map[string]map[string]KnownHost{}}
	f, err := root.Open(hostsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return none, err
	case !info.Mode().IsRegular() || info.Size() > maxIndex:
		return none, fmt.Errorf("%w: no file, or larger than any", errDamaged)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIndex))
	if err != nil {
		return none, err
	}
	var k known
	if err := json.Unmarshal(text, &k); err != nil {
		return none, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if k.Schema > schema {
		return none, fmt.Errorf("was written by a newer fwpush (schema %d, and this one knows %d)", k.Schema, schema)
	}
	if k.Fleets == nil {
		k.Fleets = none.Fleets
	}
	k.Schema = schema
	return k, nil
}

// index brings the index up to date with how the hosts of the run ended. A damaged one
// is set aside, and a new one begun.
func (r *Run) index() error {
	return exclusively(r.root, indexPatience, func() error {
		k, damage := readIndex(r.root)
		if damage != nil && !errors.Is(damage, errDamaged) {
			return damage
		}
		if damage != nil {
			aside := hostsFile + ".damaged-" + r.head.Run
			if err := r.root.Rename(hostsFile, aside); err != nil {
				return errors.Join(damage, err)
			}
			damage = fmt.Errorf("%w; it is kept as %s, and a new one is begun", damage, aside)
		}
		if k.Fleets[r.head.Fleet] == nil {
			k.Fleets[r.head.Fleet] = map[string]KnownHost{}
		}
		for _, host := range r.head.Hosts {
			if end, ok := r.ended[host.Name]; ok {
				learn(k.Fleets[r.head.Fleet], r.head.Run, host, end, second(r.now()))
			}
		}
		return errors.Join(damage, writeIndex(r.root, k))
	})
}

// learn takes what a run left on a host. What it left as it was stays in the index as it
// was, and so does what a later run did meanwhile.
func learn(hosts map[string]KnownHost, run string, host Host, end Ended, at time.Time) {
	old := hosts[host.Name]
	// Ids sort by the second in which their runs began; within one they are in no order,
	// and a tilde sorts after all of them.
	if second, _, _ := strings.Cut(run, "-"); old.Run > second+"~" {
		return
	}
	switch end.Outcome {
	case "confirmed", "unchanged":
		if host.Remove {
			delete(hosts, host.Name)
			return
		}
		old.Digest = end.Digest
	case "pending", "unknown": // there may be something of ours
	default:
		return
	}
	hosts[host.Name] = KnownHost{SSH: host.SSH, Run: run, Outcome: end.Outcome, Digest: old.Digest, At: at}
}

// writeIndex replaces the index. Whoever reads meanwhile, and whoever reads after a loss
// of power, has the old one or the new one.
func writeIndex(root *os.Root, k known) error {
	const draft = hostsFile + ".new" // the lock keeps others from it
	f, err := root.OpenFile(draft, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(ui.WriteJSON(f, k), f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(draft, hostsFile)
	}
	if err != nil {
		return errors.Join(err, root.RemoveAll(draft))
	}
	return syncDir(root, ".")
}
