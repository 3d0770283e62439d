// Package compare shows how hosts differ: what they run from what they shall run, which
// is a diff, and from each other. Changes that are the same are shown once.
package compare
