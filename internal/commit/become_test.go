package commit

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// awkward has everything in it that a shell, a prompt or a terminal could take for its own.
const awkward = `p w "q" 'r' %u%% $HOME \n ` + "`id`" + ` #! ä€`

// as is a host with a user ops whose way to be root is by.
func as(t *testing.T, by, password string, o lab.HostOptions) *host {
	t.Helper()
	h := newHost(t, o)
	h.user, h.become = "ops", by
	if password != "" {
		if err := h.dialer.Password(h.Name(), []byte(password)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func ops(u lab.User) lab.HostOptions {
	u.Name = "ops"
	return lab.HostOptions{Users: []lab.User{u}}
}

const mayAll = "ops ALL=(ALL:ALL) ALL\n"

// All ways to be root commit, with both timers and a fresh connection, and without more
// executions than a login as root takes.
func TestBecome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		by, password string
		host         lab.HostOptions
		prepare      string
	}{
		"sudo with a password":           {"sudo", awkward, ops(lab.User{Password: awkward, Sudoers: mayAll}), ""},
		"a password nobody asks for":     {"sudo", "unused", ops(lab.User{Sudo: true}), ""},
		"sudo that lectures and records": {"sudo", "s3", ops(lab.User{Password: "s3", Sudoers: "Defaults lecture=always,use_pty,log_input,log_output,passprompt_override,passprompt=\"other: \"\n" + mayAll}), ""},
		"sudo without secure_path":       {"sudo", "s3", ops(lab.User{Password: "s3", Sudoers: "Defaults !secure_path,!setenv,!env_reset\n" + mayAll}), ""},
		"an account of another language": {"sudo", "s3", ops(lab.User{Password: "s3", Sudoers: mayAll}), "echo 'export LC_ALL=de_DE.UTF-8 LANGUAGE=de' >/home/ops/.profile; usermod -s /bin/bash ops; echo 'export LC_ALL=de_DE.UTF-8 LANGUAGE=de; set -x' >/home/ops/.bashrc"},
		"csh":                            {"sudo", "s3", ops(lab.User{Password: "s3", Sudoers: mayAll}), "usermod -s /bin/tcsh ops; echo 'set echo' >/home/ops/.cshrc"},
		"fish":                           {"sudo", "s3", ops(lab.User{Password: "s3", Sudoers: mayAll}), "usermod -s /usr/bin/fish ops"},
		"doas":                           {"doas", "", ops(lab.User{Doas: "permit nopass ops"}), ""},
		"su":                             {"su", awkward, lab.HostOptions{RootPassword: awkward, Users: []lab.User{{Name: "ops"}}}, ""},
		"su from csh to fish":            {"su", "s3", lab.HostOptions{RootPassword: "s3", Users: []lab.User{{Name: "ops"}}}, "usermod -s /bin/tcsh ops; usermod -s /usr/bin/fish root"},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := as(t, tt.by, tt.password, tt.host)
			if tt.prepare != "" {
				h.sh(tt.prepare)
			}
			first := h.dial()
			p, r := Begin(t.Context(), first, h.candidate(rules(false, 80), time.Minute))
			if p == nil {
				t.Fatalf("%s at %s: %v (%s)", r.Outcome, r.Stage, r.Err, r.Hint)
			}
			if r = p.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
				t.Fatalf("%s at %s: %v (%s)", r.Outcome, r.Stage, r.Err, r.Hint)
			}
			if n := first.Execs(); n != 1 {
				t.Errorf("%d executions", n)
			}
			h.clean()
		})
	}
}

// Each way not to become root has a message and a remedy of its own.
func TestBecomeRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		by, password string
		host         lab.HostOptions
		prepare      string
		err, hint    string
	}{
		"sudo asks, none given":     {"sudo", "", ops(lab.User{Password: "x", Sudoers: mayAll}), "", "a password is required", "--ask-become-pass"},
		"wrong for sudo":            {"sudo", "wrong", ops(lab.User{Password: "right", Sudoers: mayAll}), "", "does not accept the password", "password of the login"},
		"wrong, and one try":        {"sudo", "wrong", ops(lab.User{Password: "right", Sudoers: "Defaults passwd_tries=1\n" + mayAll}), "", "does not accept the password", "password of the login"},
		"not in sudoers":            {"sudo", "right", ops(lab.User{Password: "right"}), "", "not in the sudoers", "allow it in sudoers"},
		"not everything":            {"sudo", "right", ops(lab.User{Password: "right", Sudoers: "ops ALL=(root) /bin/ls\n"}), "", "not allowed to", "allow it in sudoers"},
		"requiretty":                {"sudo", "", ops(lab.User{Sudo: true, Sudoers: "Defaults requiretty\n"}), "", "must have a tty", "requiretty"},
		"requiretty and a password": {"sudo", "right", ops(lab.User{Password: "right", Sudoers: "Defaults requiretty\n" + mayAll}), "", "must have a tty", "requiretty"},
		"no sudo":                   {"sudo", "", ops(lab.User{Sudo: true}), "rm /usr/bin/sudo", "not found", "not installed"},
		"no sudo, and a password":   {"sudo", "x", ops(lab.User{Sudo: true}), "rm /usr/bin/sudo", "No such file", "not installed"},
		"an expired account":        {"sudo", "right", ops(lab.User{Password: "right", Sudoers: mayAll}), "sed -i '1i account requisite pam_deny.so' /etc/pam.d/sudo", "account validation failure", "expired"},
		"a prompt of its own":       {"sudo", "right", ops(lab.User{Password: "right", Sudoers: mayAll}), "printf '%s\\n' '#!/bin/sh' 'printf \"Code: \" >&2; read -r x' >/usr/bin/sudo", "Code:", "passprompt_override"},
		"not setuid":                {"sudo", "right", ops(lab.User{Password: "right", Sudoers: mayAll}), "chmod u-s /usr/bin/sudo", "setuid", "nosuid"},
		"doas that asks":            {"doas", "", ops(lab.User{Password: "right", Doas: "permit ops"}), "", "Authentication required", "nopass"},
		"doas of others":            {"doas", "", ops(lab.User{Doas: "permit nopass root"}), "", "not permitted", "doas.conf"},
		"doas without rules":        {"doas", "", ops(lab.User{}), "", "not enabled", "doas.conf"},
		"no doas":                   {"doas", "", ops(lab.User{Doas: "permit nopass ops"}), "rm /usr/bin/doas", "not found", "not installed"},
		"su asks, none given":       {"su", "", ops(lab.User{}), "", "none to give", "--ask-become-pass"},
		"wrong for su":              {"su", "wrong", lab.HostOptions{RootPassword: "right", Users: []lab.User{{Name: "ops"}}}, "", "does not accept the password", "password of root"},
		"root without one":          {"su", "wrong", ops(lab.User{}), "", "does not accept the password", "password of root"},
		"expired root":              {"su", "right", lab.HostOptions{RootPassword: "right", Users: []lab.User{{Name: "ops"}}}, "chage -E 1 root", "expired", "chage"},
		"pam_wheel":                 {"su", "right", lab.HostOptions{RootPassword: "right", Users: []lab.User{{Name: "ops"}}}, "sed -i '1i auth required pam_wheel.so' /etc/pam.d/su", "Permission denied", "pam_wheel"},
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			h := as(t, tt.by, tt.password, tt.host)
			if tt.prepare != "" {
				h.sh(tt.prepare)
			}
			began := time.Now()
			r := h.apply(h.candidate(rules(false, 80), time.Minute))
			if r.Outcome != OutcomeFailed || r.Err == nil {
				t.Fatalf("%s: %v", r.Outcome, r.Err)
			}
			if !strings.Contains(r.Err.Error(), tt.err) || !strings.Contains(r.Hint, tt.hint) || r.Hint == "" {
				t.Errorf("said %q, hint %q", r.Err, r.Hint)
			}
			if tt.password != "" && strings.Contains(r.Err.Error(), "wrong") {
				t.Errorf("the password is in %q", r.Err)
			}
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("took %s", took)
			}
			if h.table() != "" || h.state() != "none" {
				t.Error("something was changed")
			}
		})
	}
}

// A password that one host refuses is tried on no other, and on that host once.
func TestWrongPasswordIsTriedOnce(t *testing.T) {
	working(t)
	one := as(t, "sudo", "wrong", lab.HostOptions{Name: "tried-one", Users: []lab.User{{Name: "ops", Password: "right", Sudoers: mayAll}}})
	two := as(t, "sudo", "wrong", lab.HostOptions{Name: "tried-two", Users: []lab.User{{Name: "ops", Password: "right", Sudoers: mayAll}}})
	if err := one.dialer.Password("tried-two", []byte("wrong")); err != nil {
		t.Fatal(err)
	}
	two.dialer = one.dialer
	for _, h := range []*host{one, two} {
		h.sh(`printf '%s\n' 'auth required pam_faillock.so preauth deny=9' 'auth sufficient pam_unix.so' 'auth [default=die] pam_faillock.so authfail deny=9' \
'account required pam_unix.so' 'session required pam_permit.so' >/etc/pam.d/sudo; mkdir -p /run/faillock`)
	}
	failures := func(h *host) string { return h.sh("faillock --user ops | grep -c ' V$' || true") }
	for range 3 {
		_, r := Inspect(t.Context(), one.dial(), "", "", "")
		if r.Outcome != OutcomeFailed || r.Hint == "" {
			t.Fatalf("%s: %v", r.Outcome, r.Err)
		}
	}
	_, r := Inspect(t.Context(), two.dial(), "", "", "")
	if r.Err == nil || !strings.Contains(r.Hint, "tried-one has refused this password") {
		t.Errorf("the other host: %v (%s)", r.Err, r.Hint)
	}
	// sudo asks again at once, and PAM takes a question without an answer for a wrong one.
	if got := failures(one) + " " + failures(two); got != "2 0" {
		t.Errorf("%s failures on the hosts, want 2 0", got)
	}
}

// A password that one host has accepted is given to all, and one that refuses it is alone.
func TestAcceptedPasswordGoesOn(t *testing.T) {
	working(t)
	users := func(password string) []lab.User {
		return []lab.User{{Name: "ops", Password: password, Sudoers: mayAll}}
	}
	one := as(t, "sudo", "s3", lab.HostOptions{Name: "goes-one", Users: users("s3")})
	two := as(t, "sudo", "", lab.HostOptions{Name: "goes-two", Users: users("other")})
	for _, name := range []string{"goes-two", "goes-one"} {
		if err := one.dialer.Password(name, []byte("s3")); err != nil {
			t.Fatal(err)
		}
	}
	two.dialer = one.dialer
	inspect := func(h *host) error { _, r := Inspect(t.Context(), h.dial(), "", "", ""); return r.Err }
	if err := inspect(one); err != nil {
		t.Fatal(err)
	}
	if err := inspect(two); err == nil || !strings.Contains(err.Error(), "does not accept") {
		t.Errorf("the other one: %v", err)
	}
	if err := inspect(one); err != nil {
		t.Errorf("the first one again: %v", err)
	}
}
