// Package commit makes one host run a candidate ruleset, or proves that it runs
// what it ran before. Begin stages the candidate, proves two timers on the host
// that would take it back, and applies it; Confirm gets in through a connection
// that is younger than the new rules and only then makes them last. The steps
// and what each failure leads to stand in docs/protocol.md; what runs on the
// host stands in scripts.
package commit
