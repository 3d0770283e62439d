package render

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Version is a version of the nft program.
type Version struct {
	Major, Minor, Patch int
}

// Digits are bounded, so that a hostile answer cannot overflow.
var versionLine = regexp.MustCompile(`^nftables v([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:[ \n]|$)`)

// ParseVersion reads what `nft --version` prints: "nftables v1.0.6 (Lester
// Gooch #5)".
func ParseVersion(s string) (Version, error) {
	m := versionLine.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("%.80q is not what nft --version prints", s)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // digits only, or empty for a missing patch level
	}
	return Version{n[0], n[1], n[2]}, nil
}

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// AtLeast reports whether v is o or newer.
func (v Version) AtLeast(o Version) bool {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch)) >= 0
}
