package rollout

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fwpush/transport"
)

func TestRunID(t *testing.T) {
	for id, good := range map[string]bool{
		"20261122T143055Z-7f3c91ab":   true,
		"20240229T000000Z-00000000":   true,
		"20230229T000000Z-00000000":   false, // no such day
		"20261322T143055Z-7f3c91ab":   false,
		"20261122T243055Z-7f3c91ab":   false,
		"20261122T143060Z-7f3c91ab":   false,
		"20261122T143055Z-7F3C91AB":   false,
		"20261122T143055Z-7f3c91a":    false,
		"20261122T143055Z-7f3c91abc":  false,
		"20261122T143055Z-7f3c91a-":   false,
		"20261122T143055Z7f3c91ab":    false,
		"20261122T143055.5Z-7f3c91ab": false,
		"20261122T143055z-7f3c91ab":   false,
		" 20261122T143055Z-7f3c91ab":  false,
		"20261122T143055Z-7f3c91ab\n": false,
		"20261122T143055Z-":           false,
		"-7f3c91ab":                   false,
		"$(reboot)":                   false,
		"":                            false,
	} {
		err := CheckRunID(id)
		if good != (err == nil) {
			t.Errorf("%q: %v", id, err)
		}
		if err != nil && !strings.Contains(err.Error(), "a run is YYYYMMDDThhmmssZ-xxxxxxxx") {
			t.Errorf("%q gets %q", id, err)
		}
	}
}

func TestNewRunIDIsValidAndOfItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(0, 250_000_000_000).Draw(t, "now"), 0).
			In(time.FixedZone("", rapid.IntRange(-43200, 43200).Draw(t, "zone")))
		id, err := NewRunID(now)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckRunID(id); err != nil {
			t.Fatal(err)
		}
		if when, _ := time.Parse(runTime, id[:len(runTime)]); !when.Equal(now) {
			t.Fatalf("%s was drawn at %s", id, now)
		}
	})
}

func TestRisksHaveNames(t *testing.T) {
	got, err := ParseRisks([]string{"take-over", "lose-ssh"})
	if want := (Risks{LoseSSH: true, TakeOver: true}); got != want || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err = ParseRisks([]string{"stuck-revert"}); !got.StuckRevert || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err = ParseRisks([]string{"lose-ssh", "yes"}); err == nil || !strings.Contains(err.Error(), `"yes"`) {
		t.Errorf("an unknown risk gets %v", err)
	}
}

func TestHintIsSaidOnce(t *testing.T) {
	cause := &transport.DialError{Peer: transport.Peer{Host: "web1", Addr: "10.0.0.1:22"}, Kind: transport.DialRefused, Stage: "connect"}
	r := unreachable(fmt.Errorf("dialling: %w", cause))
	if r.Hint == "" || strings.Contains(r.Err.Error(), r.Hint) {
		t.Errorf("error %q, hint %q", r.Err, r.Hint)
	}
	if !strings.HasSuffix(r.Err.Error(), "web1 (10.0.0.1:22): connection refused") {
		t.Errorf("error %q", r.Err)
	}
	if !errors.Is(r.Err, cause) {
		t.Error("the cause is lost")
	}
}

func TestOnlyOpenedConnectionsAreCounted(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{&transport.DialError{Kind: transport.DialTimeout, Stage: "connect"}, 0},
		{&transport.DialError{Kind: transport.DialDNS, Stage: "connect"}, 0},
		{&transport.DialError{Kind: transport.DialTimeout, Stage: "handshake"}, 1},
		{&transport.DialError{Kind: transport.DialRefused, Stage: "jump", Err: &transport.DialError{Stage: "handshake"}}, 0},
		{&transport.DialError{Stage: "jump", Err: &transport.HostKeyError{}}, 0},
		{&transport.DialError{Stage: "jump", Err: &transport.AuthError{Tried: []string{"key"}}}, 0},
		{&transport.HostKeyError{}, 1},
		{&transport.AuthError{Tried: []string{"key"}}, 1},
		{&transport.AuthError{Methods: []string{"password"}}, 1},
		{&transport.AuthError{}, 0},
		{errors.New("key file is missing"), 0},
	} {
		h := &host{}
		h.count(nil, tc.err)
		if got, _ := h.hangUp(); got != tc.want {
			t.Errorf("%#v: %d connections, want %d", tc.err, got, tc.want)
		}
	}
}
