//go:build chaos

package commit

import "testing"

// TestChaosBootLoadsEitherBackend boots hosts of every release with every variant of iptables, in both
// changes of backend.
func TestChaosBootLoadsEitherBackend(t *testing.T) {
	for _, release := range []string{"bullseye", "bookworm", "trixie"} {
		for _, variant := range []string{"nft", "legacy"} {
			for _, c := range changes(false) {
				t.Run(release+" "+variant+" "+c.name, func(t *testing.T) { bootsEither(t, release, variant, c) })
			}
		}
	}
}

// TestChaosAdoptedHostBoots boots hosts of which the home-made rules are of either variant.
func TestChaosAdoptedHostBoots(t *testing.T) {
	for _, variant := range []string{"nft", "legacy"} {
		t.Run(variant, func(t *testing.T) { adoptedHostBoots(t, variant) })
	}
}
