package lab_test

import (
	"os/exec"
	"testing"
)

func TestScriptsAreCleanPOSIX(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "shellcheck", "--shell=sh", "scripts/host.sh", "scripts/tree.sh", "scripts/docker.sh").CombinedOutput()
	if err != nil {
		t.Errorf("shellcheck (apt-get install shellcheck): %v\n%s", err, out)
	}
}
