package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fwpush/internal/rollout"
)

// checked is a flag whose text is checked when it is given.
type checked[T any] struct {
	v     T
	kind  string // what the help calls a value
	parse func(string) (T, error)
	given bool
	text  string
}

func (f *checked[T]) String() string { return f.text }
func (f *checked[T]) Type() string   { return f.kind }

func (f *checked[T]) Set(s string) error {
	v, err := f.parse(s)
	if err != nil {
		return err
	}
	f.v, f.text, f.given = v, s, true
	return nil
}

// oneOf is a flag with a closed set of values, the first of which is the default.
func oneOf(values ...string) *checked[string] {
	return &checked[string]{v: values[0], text: values[0], kind: strings.Join(values, "|"),
		parse: func(s string) (string, error) {
			if !slices.Contains(values, s) {
				return "", fmt.Errorf("must be %s", strings.Join(values, ", "))
			}
			return s, nil
		}}
}

// only is a flag that has one value: two fleet files are a mistake, and taking the
// last would hide it. The same one again is none; completion reads its flags twice.
func only(kind string) *checked[string] {
	f := &checked[string]{kind: kind}
	f.parse = func(s string) (string, error) {
		switch {
		case f.given && s != f.v:
			return "", errors.New("given twice")
		case s == "":
			return "", errors.New("is empty")
		}
		return s, nil
	}
	return f
}

const (
	minWindow = 15 * time.Second
	maxWindow = time.Hour
	maxForks  = 1024
)

func windowFlag() *checked[time.Duration] {
	return &checked[time.Duration]{kind: "DURATION", parse: func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < minWindow || d > maxWindow || d%time.Second != 0 {
			return 0, errors.New("window must be 15s..60m in whole seconds, such as 90s")
		}
		return d, nil
	}}
}

func forksFlag() *checked[int] {
	return &checked[int]{kind: "N", parse: func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxForks {
			return 0, fmt.Errorf("must be 1..%d", maxForks)
		}
		return n, nil
	}}
}

// risks are the dangers a person has named.
type risks struct {
	names []string
	rollout.Risks
}

const riskLoseSSH = "lose-ssh"

func (r *risks) String() string { return strings.Join(r.names, ",") }
func (r *risks) Type() string   { return "RISK" }

func (r *risks) Set(s string) error {
	names := append(slices.Clone(r.names), strings.Split(s, ",")...)
	parsed, err := rollout.ParseRisks(names)
	if err != nil {
		return err
	}
	r.names, r.Risks = names, parsed
	return nil
}

// fromEnvironment sets each flag that was not given from FWPUSH_<FLAG>. An empty
// variable counts as none, but not where it would widen what a run is about: a
// script whose variable was not set must not push to the whole fleet.
func fromEnvironment(cmd *cobra.Command, environ func(string) (string, bool)) error {
	var first error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || first != nil {
			return
		}
		name := "FWPUSH_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, set := environ(name)
		switch {
		case value != "" && f.Name == "inventory":
			// As Ansible has it: several with commas between them.
			for path := range strings.SplitSeq(value, ",") {
				if err := cmd.Flags().Set(f.Name, path); err != nil && first == nil {
					first = &usageError{cmd, fmt.Sprintf("%s in the environment: %v", name, err)}
				}
			}
		case value != "":
			if err := cmd.Flags().Set(f.Name, asBool(f, value)); err != nil {
				first = &usageError{cmd, fmt.Sprintf("%s in the environment: %v", name, err)}
			}
		case set && slices.Contains([]string{"inventory", "role", "limit", "exclude"}, f.Name):
			first = &usageError{cmd, fmt.Sprintf("%s in the environment is empty; unset it, or say what is meant", name)}
		}
	})
	return first
}

// asBool takes yes and no where a flag is true or false, as people write them.
func asBool(f *pflag.Flag, value string) string {
	if f.Value.Type() == "bool" {
		switch strings.ToLower(value) {
		case "yes", "on":
			return "true"
		case "no", "off":
			return "false"
		}
	}
	return value
}

// addOutput adds -o to a verb that has something to say to programs.
func addOutput(cmd *cobra.Command, output *checked[string]) {
	cmd.Flags().VarP(output, "output", "o", "`FORMAT` of the result: text or json")
}
