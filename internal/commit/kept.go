package commit

import "fwpush/render"

// keptForm is the script that loads the candidate over what runs without taking
// the base chains away for a moment, or "" where only the recreate form is safe:
// an nft too old, or a layout that was not understood.
func keptForm(rules render.Ruleset, f Facts) string {
	live, err := render.ParseLayout(f.Running)
	if err != nil {
		return ""
	}
	nft, err := render.ParseVersion(f.NFT)
	if err != nil {
		return ""
	}
	text, kept := render.LoadForm(rules, live, nft)
	if !kept {
		return ""
	}
	return text
}
