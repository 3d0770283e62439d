package fleetfile

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// info is a file of somebody else, which only root could make.
type info struct {
	fs.FileInfo
	uid uint32
}

func (i info) Mode() fs.FileMode { return 0o664 }
func (i info) Sys() any          { return &syscall.Stat_t{Uid: i.uid} }

func TestOwnerOfTheFile(t *testing.T) {
	other := os.Getuid() + 4711
	want := []Finding{
		{Msg: "the file can be written by its group"},
		{Msg: fmt.Sprintf("the file belongs to user %d, not to you", other)},
	}
	if diff := cmp.Diff(want, trust("the file", info{uid: uint32(other)}, false)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, own := range []int{0, os.Getuid()} {
		if got := trust("the file", info{uid: uint32(own)}, false); len(got) != 1 {
			t.Errorf("owner %d: %v", own, got)
		}
	}
}
