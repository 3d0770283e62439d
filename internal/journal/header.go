package journal

import (
	"fmt"
	"regexp"
)

// Header is what is known of a run before it changes anything.
type Header struct {
	Run     string `json:"run"` // its id, YYYYMMDDThhmmssZ-xxxxxxxx
	Command string `json:"command"`
	Who     string `json:"who"`  // who acts, as the hosts are told
	From    string `json:"from"` // USER@HOST of this machine
	PID     int    `json:"pid"`
	Version string `json:"version"` // of fwpush

	Fleet  string `json:"fleet"`      // its name
	File   string `json:"file"`       // absolute path of the fleet file
	Digest string `json:"digest"`     // sha256:… of the fleet file and every file it reads
	Commit string `json:"git_commit"` // see GitCommit

	Options map[string]string `json:"options,omitempty"` // flags that matter, by name
	Hosts   []Host            `json:"-"`                 // in the order of the run; a line each
}

// Host is one host of a run.
type Host struct {
	Name   string   `json:"host"`
	Wave   int      `json:"wave"`
	Digest string   `json:"digest"`           // of the candidate
	Remove bool     `json:"remove,omitempty"` // the candidate is that nothing of ours stays
	SSH    Endpoint `json:"ssh"`
}

// Endpoint is the way into a host, so that it can still be reached when the fleet file
// no longer names it. Key files are named; nothing in it is secret.
type Endpoint struct {
	Name       string     `json:"name,omitempty"` // of a jump host that the fleet names
	Address    string     `json:"address"`
	Port       uint16     `json:"port"`
	User       string     `json:"user,omitempty"`
	Become     string     `json:"become,omitempty"`
	Identity   []string   `json:"identity,omitempty"`
	KnownHosts []string   `json:"known_hosts,omitempty"`
	Timeout    float64    `json:"connect_timeout,omitempty"` // seconds
	JumpLogins int        `json:"jump_logins,omitempty"`     // at a time through it
	Jump       []Endpoint `json:"jump,omitempty"`            // the first hop first; they have no jumps of their own

	// What ssh_config said of it, beside the above.
	HostKeyAlias  string   `json:"host_key_alias,omitempty"`
	RevokedKeys   string   `json:"revoked_keys,omitempty"`
	HashNames     bool     `json:"hash_names,omitempty"`
	Certificates  []string `json:"certificates,omitempty"`
	OtherKeys     bool     `json:"other_keys,omitempty"` // of the agent, beside Identity
	IdentityAgent string   `json:"identity_agent,omitempty"`
	Family        string   `json:"address_family,omitempty"`
	Bind          string   `json:"bind_address,omitempty"`
	BindInterface string   `json:"bind_interface,omitempty"`
	ProxyCommand  string   `json:"proxy_command,omitempty"`
}

// schema of the lines that this package writes. Fields are only ever added to it.
const schema = 1

var runID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$`)

// checkRun keeps what becomes a file name from being another one.
func checkRun(id string) error {
	if !runID.MatchString(id) {
		return fmt.Errorf("%.64q is not the id of a run", id)
	}
	return nil
}
