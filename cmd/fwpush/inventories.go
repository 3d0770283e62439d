package main

import (
	"errors"
	"os"
	"slices"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/inventory"
)

// inventories is -i: a fleet file, and programs that say which hosts there are beside
// those that it names. Two fleet files are a mistake, and taking the last would hide it;
// the same one again is none, completion reads its flags twice.
type inventories struct {
	file     string
	given    bool // file was named
	programs []string
}

func (i *inventories) String() string { return i.file }
func (i *inventories) Type() string   { return "PATH" }

func (i *inventories) Set(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case inventory.IsProgram(s):
		if !slices.Contains(i.programs, s) {
			i.programs = append(i.programs, s)
		}
		return nil
	case i.given && s != i.file && mayRun(s):
		return errors.New(`given twice; a program that prints hosts begins with "#!"`)
	case i.given && s != i.file:
		return errors.New("given twice")
	}
	i.file, i.given = s, true
	return nil
}

func mayRun(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// source is the fleet file that the flags mean, with the programs.
func (g *globals) source() plan.Source {
	s := plan.Source{Path: g.found, Programs: g.inventory.programs}
	if g.inventory.given {
		s.Path, s.Named = g.inventory.file, true
	}
	return s
}

// words are -i as it was given.
func (i *inventories) words() (file, programs []string) {
	if i.given {
		file = []string{"-i", i.file}
	}
	for _, p := range i.programs {
		programs = append(programs, "-i", p)
	}
	return file, programs
}
