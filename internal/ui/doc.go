// Package ui is what a person sees: text made safe for a terminal, colour,
// folded host names, tables and questions. It knows nothing of firewalls and
// decides nothing.
package ui
