package lab_test

import (
	"os/exec"
	"testing"
)

func TestHostScriptIsCleanPOSIX(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "shellcheck", "--shell=sh", "scripts/host.sh").CombinedOutput()
	if err != nil {
		t.Errorf("shellcheck (apt-get install shellcheck): %v\n%s", err, out)
	}
}
