package commit

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// FuzzOneLine: whatever the text, a shell that unwraps it gets the text and
// nothing else; a part of the line runs nothing.
func FuzzOneLine(f *testing.F) {
	for _, seed := range []string{"", "echo a\necho b", `a\nb\\n\\\`, "'", `'"'"'`, `\047`, "$(touch x)`y`", "\t%s%b%%", "é\xff\x01"} {
		f.Add(seed)
	}
	shells := [][]string{{"dash"}, {"busybox", "sh"}, {"bash"}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || len(text) > 10_000 {
			return // no script holds NUL, and a shell cannot
		}
		line := oneLine(text)
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("not one line: %q", line)
		}
		// The same words with a harmless command in eval's place.
		harmless := "printf %s" + strings.TrimPrefix(line, "eval")
		for _, shell := range shells {
			cmd := exec.Command(shell[0], shell[1:]...)
			cmd.Stdin = strings.NewReader(harmless)
			cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
			out, err := cmd.Output()
			// A command substitution takes the newlines at the end away.
			if want := strings.TrimRight(text, "\n"); err != nil || string(out) != want {
				t.Errorf("%v: got %q, want %q (%v)", shell, out, want, err)
			}
		}
	})
}

func TestACutProgramRunsNothing(t *testing.T) {
	line := oneLine("echo this ran; touch /nonexistent/x\n" + revertProgram(ModeCoexist))
	for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}, {"bash"}} {
		for _, from := range []int{1, 5, 20, 100, len(line) / 2, len(line) - 3} {
			for _, cut := range []string{line[from:], line[:len(line)-from-1]} {
				cmd := exec.Command(shell[0], shell[1:]...)
				cmd.Stdin = strings.NewReader(cut)
				out, _ := cmd.Output()
				if strings.Contains(string(out), "this ran") {
					t.Errorf("%v ran a part of the program (from %d)", shell, from)
				}
			}
		}
	}
}

// FuzzFacts: whatever a host says, the controller neither panics nor keeps
// more than it was told.
func FuzzFacts(f *testing.F) {
	const mark = "0123456789abcdef"
	f.Add("banner\nM proto 1\nM uid 0\nM section running\ntable inet fwpush {\n}\nM ask\n")
	f.Add("M pending " + strings.Repeat("a", 32) + " applied 20 run no 10.0.0.1 who is it\nM ask")
	f.Add("M owner 1 a b c\nM lastrevert 1 2 3\nM clock 99999999999999999999\nM generation -1\nM held x")
	f.Fuzz(func(t *testing.T, text string) {
		told := telling{mark: mark}
		for line := range strings.SplitSeq(strings.ReplaceAll(text, "M ", mark+" "), "\n") {
			if done, err := told.hear(line); done || err != nil {
				break
			}
		}
		facts := told.facts
		if n := len(facts.Running) + len(facts.Boot) + len(facts.Chains); n > 3*len(text)+3*len(mark)*len(text) {
			t.Errorf("%d bytes kept of %d told", n, len(text))
		}
		facts.usable("")
		facts.Runs("x")
		facts.Absent()
		if facts.Pending != nil && (facts.Pending.Left < 0 || !isHex(facts.Pending.TX, 32)) {
			t.Errorf("a holder that makes no sense: %+v", facts.Pending)
		}
	})
}

// Every script is POSIX sh and nothing in it is put together by Go: what the
// programs are made of are the files and one fixed line.
func TestProgramsHoldOnlyFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		// Those of mode exclusive have all that the others have.
		"begin": beginProgram(ModeExclusive), "inspect": inspectProgram(ModeExclusive), "finish": finishProgram(),
		"revert": revertProgram(ModeExclusive), "boot": bootProgram(ModeExclusive), "doctor": doctorProgram(ModeExclusive), "canary": canaryProgram(),
	} {
		cmd := exec.Command("shellcheck", "-s", "sh", "-e", "SC2154,SC2153,SC2034,SC2015,SC2016,SC1091,SC2317", "-")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	// What only reads has no code that writes, renames, queues or loads.
	for _, word := range []string{"mv ", "mkdir", "rm ", ">\"$", " at -M", "atrm", "systemctl enable", "run_nft 60", "--noflush"} {
		own := ownText(t, inspectProgram(ModeExclusive))
		if strings.Contains(own, word) {
			t.Errorf("the program that only reads contains %q", word)
		}
	}
}

// What tries a host out has no code that loads rules or makes a step of the state.
func TestTheDoctorHasNoCodeToLoadRules(t *testing.T) {
	for name, text := range map[string]string{"doctor": doctorProgram(ModeExclusive), "canary": canaryProgram()} {
		own := ownText(t, text)
		for _, word := range []string{"\tturn ", " turn ", "--noflush", "run_nft", "run_tool", "systemctl enable", "revert now"} {
			if strings.Contains(own, word) {
				t.Errorf("the program %s contains %q", name, word)
			}
		}
	}
}

// ownText is a program without the part that all begin with and without the texts of the
// boot units, which are data to it.
func ownText(t *testing.T, program string) string {
	t.Helper()
	for _, part := range []string{"base", "unit"} {
		text, err := scripts.ReadFile("scripts/" + part + ".sh")
		if err != nil {
			t.Fatal(err)
		}
		data, _, found := strings.Cut(string(text), "# init_of: ")
		if found != (part == "unit") {
			t.Fatalf("the texts of %s.sh do not end where they did", part)
		}
		program = strings.ReplaceAll(program, data, "")
	}
	return program
}

// TestProgramsDefineEachFunctionOnce: parts are joined, and the shell takes the last of two functions
// of one name without a word. Two are meant to be replaced.
func TestProgramsDefineEachFunctionOnce(t *testing.T) {
	function := regexp.MustCompile(`(?m)^([a-z_0-9]+)\(\) `)
	for _, m := range []Mode{ModeCoexist, ModeExclusive} {
		for name, text := range map[string]string{"begin": beginProgram(m), "inspect": inspectProgram(m), "past": pastProgram(),
			"finish": finishProgram(), "revert": revertProgram(m), "doctor": doctorProgram(m), "canary": canaryProgram(), "boot": bootProgram(m)} {
			seen := map[string]bool{}
			for _, f := range function.FindAllStringSubmatch(ownText(t, text), -1) {
				if seen[f[1]] && f[1] != "fenced" && f[1] != "home_seen" {
					t.Errorf("%s defines %s twice", name, f[1])
				}
				seen[f[1]] = true
			}
		}
	}
}
