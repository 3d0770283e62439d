package rollout

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// runTime is the first part of a run id: when the run was started, in UTC.
const runTime = "20060102T150405Z"

// NewRunID names a run that starts now: YYYYMMDDThhmmssZ and eight random hex
// digits. Ids sort by time.
func NewRunID(now time.Time) (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("drawing random bits: %w", err)
	}
	return now.UTC().Format(runTime) + "-" + hex.EncodeToString(b[:]), nil
}

// CheckRunID says what is wrong with a run id that a person typed.
func CheckRunID(id string) error {
	when, digits, _ := strings.Cut(id, "-")
	// Parse takes a fraction of a second that the layout does not have.
	_, err := time.Parse(runTime, when)
	if err != nil || len(when) != len(runTime) || len(digits) != 8 || strings.Trim(digits, "0123456789abcdef") != "" {
		return fmt.Errorf("%.64q: a run is YYYYMMDDThhmmssZ-xxxxxxxx, as fwpush apply and fwpush status print it", id)
	}
	return nil
}
