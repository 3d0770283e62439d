// Package ui is what a person sees: text made safe for a terminal, colour,
// tables, counts and questions. It knows nothing of hosts or firewalls and
// decides nothing.
package ui
