package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
)

// Saved is a plan in a file: what a diff showed, for an apply of exactly that. It holds
// rules and no secrets. Fields are only ever added.
type Saved struct {
	Schema int         `json:"schema"`
	Tool   string      `json:"tool"`   // the fwpush that made it
	Made   time.Time   `json:"made"`   // UTC
	By     string      `json:"by"`     // who
	Fleet  string      `json:"fleet"`  // name of the fleet
	File   string      `json:"file"`   // fleet file, absolute
	Digest string      `json:"digest"` // of it and all files it is made of
	Hosts  []SavedHost `json:"hosts"`  // those that change
}

// SavedHost is the change of one host.
type SavedHost struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`   // digest of what the host runs, stores and would boot
	Digest  string   `json:"digest"`  // of the rules it gets
	Backend string   `json:"backend"` // that they are for
	Drift   bool     `json:"drift"`
	Means   []string `json:"means,omitempty"`  // what the change opens and closes
	Notes   []string `json:"notes,omitempty"`  // what else was shown
	Probes  []string `json:"probes,omitempty"` // tried before it is confirmed
	Diff    string   `json:"diff"`
}

// savedSchema is the version of the format.
const savedSchema = 1

// maxSaved bounds what is read of a plan, in bytes: ten thousand hosts with large changes.
const maxSaved = 512 << 20

// Save begins a plan of a fleet file; its hosts are for the caller to add.
func (f *File) Save(tool, by string) (Saved, error) {
	path, err := filepath.Abs(f.Fleet.Path)
	if err != nil {
		return Saved{}, fmt.Errorf("where the fleet file stands: %w", err)
	}
	return Saved{Schema: savedSchema, Tool: tool, Made: time.Now().UTC().Truncate(time.Second), By: by,
		Fleet: f.Fleet.Name, File: path, Digest: f.Fleet.Digest, Hosts: []SavedHost{}}, nil
}

// Write puts the plan into a file, whole or not at all, for its owner alone to read: it
// says what is open where. It takes the place of another plan or of an empty file, and of
// nothing else: a device would be gone, and so would a fleet file.
func (s Saved) Write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if path, err = place(path); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".plan-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}

// place is the file that a path leads to, if a plan may be put there.
func place(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file; name one that a plan may take the place of", path)
	}
	if info.Size() > 0 {
		if _, err := ReadSaved(path); err != nil {
			return "", fmt.Errorf("%s holds something else, which is not overwritten (%w); name another file", path, err)
		}
	}
	return filepath.EvalSymlinks(path)
}

// ReadSaved reads a plan.
func ReadSaved(path string) (Saved, error) {
	file, err := os.Open(path)
	if err != nil {
		return Saved{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSaved+1))
	if err != nil {
		return Saved{}, err
	}
	var s Saved
	switch err := json.NewDecoder(bytes.NewReader(text)).Decode(&s); {
	case len(text) > maxSaved:
		return Saved{}, fmt.Errorf("%s: larger than %d MiB", path, maxSaved>>20)
	case err != nil:
		return Saved{}, fmt.Errorf("%s: not a plan: %.300s", path, err) // a time that is none is in it whole
	case s.File == "" || s.Digest == "":
		return Saved{}, fmt.Errorf("%s: not a plan: it names no fleet file", path)
	case s.Schema != savedSchema:
		return Saved{}, fmt.Errorf("%s: a plan of schema %d, this fwpush has %d", path, s.Schema, savedSchema)
	}
	named := map[string]bool{}
	for i, h := range s.Hosts {
		switch {
		case h.Name == "":
			return Saved{}, fmt.Errorf("%s: not a plan: host %d has no name", path, i+1)
		case named[h.Name]:
			return Saved{}, fmt.Errorf("%s: not a plan: it names %.300s twice", path, h.Name)
		}
		named[h.Name] = true
	}
	return s, nil
}

// Stale tells all that has moved since the plan was made and can be seen from here:
// the tool, and the files that the fleet is made of. What moved on hosts these tell.
func (s Saved) Stale(f *File, tool string) []error {
	var moved []error
	if s.Tool != tool {
		moved = append(moved, fmt.Errorf("the plan was made by another fwpush: %s; this is %s", s.Tool, tool))
	}
	if s.Digest != f.Fleet.Digest {
		moved = append(moved, fmt.Errorf("%s, or a file that belongs to it, has changed since the plan was made", f.Fleet.Path))
	}
	return moved
}

// Names are the hosts of the plan.
func (s Saved) Names() []string {
	names := make([]string, len(s.Hosts))
	for i, h := range s.Hosts {
		names[i] = h.Name
	}
	return names
}

// Bind has every target get what the plan says and nothing else. Hosts that would get
// other rules, whatever their backend is, are told: a name or a date in the fleet file
// means something else by now.
func (s Saved) Bind(targets []rollout.Target) error {
	planned := map[string]SavedHost{}
	for _, h := range s.Hosts {
		planned[h.Name] = h
	}
	var moved []string
	for i, t := range targets {
		h := planned[t.Host.Name]
		targets[i].Reviewed = &rollout.Review{State: h.State, Digest: h.Digest}
		if !mayGet(t, h.Digest) {
			moved = append(moved, t.Host.Name)
		}
	}
	if len(moved) > 0 {
		return fmt.Errorf("%s would get other rules than were agreed to: the fleet file, or a name or a date in it, means something else by now", inventory.Fold(moved))
	}
	return nil
}

// Moved are the targets that would get other rules than those of these digests, as far
// as the file says.
func Moved(targets []rollout.Target, digests map[string]string) []string {
	var names []string
	for _, t := range targets {
		if t.Candidate.Rules.Digest != digests[t.Host.Name] {
			names = append(names, t.Host.Name)
		}
	}
	return names
}

// mayGet says whether a host can be given rules of a digest. Which backend it has may
// not be known before it is asked.
func mayGet(t rollout.Target, digest string) bool {
	if t.Candidate.Rules.Digest == digest {
		return true
	}
	if t.Print == nil {
		return false
	}
	for _, c := range []commit.Choice{{Backend: "nftables"}, {Backend: "iptables", Ipset: true}, {Backend: "iptables"}} {
		if rules, err := t.Print(c); err == nil && rules.Digest == digest {
			return true
		}
	}
	return false
}
