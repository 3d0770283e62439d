package transport

import (
	"fmt"
	"strings"
)

// RootKind tells apart why a command did not become root.
type RootKind string

// The kinds of a RootError.
const (
	RootPassword RootKind = "password" // one is asked for, and none was given
	RootWrong    RootKind = "wrong"    // the password is refused, or was before
	RootRefused  RootKind = "refused"  // sudo or su ended without running the command
	RootSilent   RootKind = "silent"   // it neither asked nor ran the command
)

// RootError says that the command was not run, for the host did not make it root.
type RootError struct {
	Peer Peer
	By   string // sudo or su
	Kind RootKind
	Said string // last line of what it printed, without the password; raw, from the host
	Err  error  // more about it; may be nil
}

func (e *RootError) Error() string {
	text := fmt.Sprintf("%s: %s ", e.Peer, e.By)
	switch {
	case e.Kind == RootPassword:
		text += "asks for a password, and there is none to give"
	case e.Kind == RootWrong && e.Err != nil:
		text += "asks for a password: " + e.Err.Error()
	case e.Kind == RootWrong:
		text += "does not accept the password"
	case e.Kind == RootSilent:
		text += "does not get to the command"
		if e.Err != nil {
			text += ": " + e.Err.Error()
		}
	default:
		text += "does not make us root"
	}
	if e.Said != "" && e.Kind != RootPassword && e.Err == nil || e.Said != "" && e.Kind == RootRefused {
		text += ": " + printable(e.Said)
	} else if e.Said != "" && e.Kind == RootSilent {
		text += "; the last it said: " + printable(e.Said)
	}
	return text
}

// Hint returns what to do next, or "".
func (e *RootError) Hint() string {
	switch e.Kind {
	case RootPassword:
		return "give it with --ask-become-pass or --become-pass-command"
	case RootWrong:
		if e.Said != "" {
			return rootHint(e.By, e.Said)
		}
		if e.By == becomeSu {
			return "su wants the password of root, not that of the login; try it on one host by hand before you run this again"
		}
		return "sudo wants the password of the login on that host; try it there by hand before you run this again"
	case RootSilent:
		return fmt.Sprintf("log in and run %s by hand: it may ask for more than a password, or with a prompt of its own (passprompt_override in sudoers lets ours stand)", e.By)
	}
	return rootHint(e.By, e.Said)
}

func (e *RootError) Unwrap() error { return e.Err }

// refused makes the error of a command that did not become root.
func (x *Exec) refused(kind RootKind, why error) *RootError {
	x.mu.Lock()
	defer x.mu.Unlock()
	said := strings.TrimSpace(x.complaint())
	if i := strings.LastIndexByte(said, '\n'); i >= 0 && kind != RootRefused {
		said = strings.TrimSpace(said[i+1:])
	}
	if kind == RootWrong {
		said = "" // the question
	}
	if len(said) > maxErrorText {
		said = said[len(said)-maxErrorText:]
	}
	return &RootError{Peer: x.conn.peer, By: x.by, Kind: kind, Said: said, Err: why}
}

// RootHint says what to do where a command was ended before it was root: "" if it did not
// need to become root, or nothing is known to do.
func (x *Exec) RootHint() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.by == "":
		return ""
	case x.withheld != nil:
		return "there is a password, but " + x.withheld.Error()
	}
	return rootHint(x.by, x.complaint())
}

// rootHint explains what sudo, doas and su print. sudo speaks the language of the account
// on the host where it is not asked for a password; what is not understood gets a hint
// that is true in all of them.
func rootHint(by, said string) string {
	for _, r := range remedies[by] {
		for _, words := range r.words {
			if strings.Contains(strings.ToLower(said), words) {
				return r.do
			}
		}
	}
	return ""
}

// acceptedFirst says whether a refusal comes after the password was found right: sudo asks
// for it before it looks whether this user may do anything, and accounts are looked at
// after that. su may look at groups and the password in either order.
func acceptedFirst(by, said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "expired") ||
		by == becomeSudo && (strings.Contains(said, "not in the sudoers") || strings.Contains(said, "not allowed to") || strings.Contains(said, "may not run"))
}

type remedy struct {
	words []string // in lower case, of any of which the text has one
	do    string
}

const (
	container = "the host, or the container it is, keeps programs from becoming root (no_new_privs, nosuid): allow that there, or log in as root"
	expired   = "an account on the host has expired, that of root or that of the login: look at chage -l there"
)

// remedies are looked through in their order. The words are those of sudo 1.8 to 1.9 and of
// sudo-rs, of OpenBSD's doas and opendoas, and of su from util-linux, shadow and busybox.
var remedies = map[string][]remedy{
	becomeSudo: {
		{[]string{"must have a tty"}, "sudo wants a terminal: Defaults:USER !requiretty in sudoers, for this user"},
		{[]string{"no new privileges", "effective uid is not 0", "setuid bit", "not setuid"}, container},
		{[]string{"not in the sudoers", "not allowed to", "may not run"}, "sudo does not let this user run everything as root: allow it in sudoers, or log in as root"},
		{[]string{"expired", "account validation failure"}, expired},
		{[]string{"incorrect password", "try again"}, "sudo wants the password of the login on that host; try it there by hand before you run this again"},
		{[]string{"a password is required", "password required"}, "sudo asks for a password, or does not know this user: give one with --ask-become-pass or --become-pass-command, allow this user NOPASSWD, or log in as root"},
		{[]string{"sudo: not found", "sudo: command not found", "not found: sudo", "unknown command", "sudo’", "'sudo'"}, "sudo is not installed on the host: log in as root, or set ssh.become"},
		{[]string{""}, "sudo did not run the command: log in there and try sudo -n true"},
	},
	becomeDoas: {
		{[]string{"authentication", "a tty is required"}, "doas asks for a password, and only on a terminal: permit nopass in doas.conf for this user, or set ssh.become to sudo or su"},
		{[]string{"operation not permitted"}, "doas does not let this user become root: permit nopass in doas.conf, or log in as root"},
		{[]string{"not enabled", "doas.conf"}, "doas has no rules, or wrong ones: look at doas.conf on the host"},
		{[]string{"setuid"}, container},
		{[]string{"expired"}, expired},
		{[]string{"doas: not found", "doas: command not found", "not found: doas", "unknown command", "doas’", "'doas'"}, "doas is not installed on the host: log in as root, or set ssh.become"},
		{[]string{""}, "doas did not run the command: log in there and try doas -n true"},
	},
	becomeSu: {
		{[]string{"permission denied", "incorrect password"}, "su does not let this user become root: it may have to be in group wheel or sudo (pam_wheel)"},
		{[]string{"expired"}, expired},
		{[]string{"authentication failure"}, "su wants the password of root, and root must have one: try it there by hand before you run this again; a container may forbid su altogether"},
		{[]string{"terminal", "a tty"}, "this su asks only on a terminal: set ssh.become to sudo, or log in as root"},
		{[]string{"must be suid", "setuid"}, container},
		{[]string{"su: not found", "su: command not found", "not found: su", "unknown command", "su’", "'su'"}, "su is not installed on the host: log in as root, or set ssh.become"},
		{[]string{""}, "su did not run the command: log in there and try su -c true"},
	},
}
