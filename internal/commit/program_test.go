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
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || len(text) > 10_000 {
			return // no script holds NUL, and a shell cannot
		}
		unwrapped(t, text)
	})
}

// TestQuoteBeforeADigit: printf %b takes up to three digits behind \0 for one character.
func TestQuoteBeforeADigit(t *testing.T) {
	for _, text := range []string{"'1", "'7'0'", "\\'01", "a'\n'9"} {
		unwrapped(t, text)
	}
}

// unwrapped: each shell makes the text of its one line.
func unwrapped(t *testing.T, text string) {
	t.Helper()
	line := oneLine(text)
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Fatalf("not one line: %q", line)
	}
	// The same words with a harmless command in eval's place.
	harmless := "printf %s" + strings.TrimPrefix(line, "eval")
	for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}, {"bash"}} {
		cmd := exec.Command(shell[0], shell[1:]...)
		cmd.Stdin = strings.NewReader(harmless)
		cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
		out, err := cmd.Output()
		// A command substitution takes the newlines at the end away.
		if want := strings.TrimRight(text, "\n"); err != nil || string(out) != want {
			t.Errorf("%v: got %q, want %q (%v)", shell, out, want, err)
		}
	}
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

// Every script is POSIX sh and nothing in it is put together by Go: what the
// programs are made of are the files and one fixed line.
func TestProgramsHoldOnlyFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		// Those of mode exclusive have all that the others have, and the one that begins has the one
		// that only reads.
		"begin": beginProgram(ModeExclusive), "finish": finishProgram(),
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
		program = strings.ReplaceAll(program, bare(data), "")
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

// TestCommentsAreAllThatStaysHere: what travels is the same to bash that has read it.
func TestCommentsAreAllThatStaysHere(t *testing.T) {
	parsed := func(text string) string { // as the body of a function, so that nothing of it runs
		cmd := exec.Command("bash", "--posix", "-c", "eval \"$(cat)\" && declare -f body")
		cmd.Stdin = strings.NewReader("body() {\n" + text + "\n}")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("bash: %v\n%.300s", err, out)
		}
		return string(out)
	}
	all, err := scripts.ReadDir("scripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := scripts.ReadFile("scripts/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		with, without := parsed(string(text)), parsed(bare(string(text)))
		if file.Name() == "homemade.sh" {
			with = bare(with) // of awk
		}
		if with != without {
			t.Errorf("without its comments %s is another script", file.Name())
		}
	}
	if strings.Contains(beginProgram(ModeExclusive), "# What ") {
		t.Error("comments travel")
	}
}
