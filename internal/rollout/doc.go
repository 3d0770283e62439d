// Package rollout takes many hosts through their commits at once. One host's
// failure never disturbs another's transaction; every host ends as a value, and
// the exit code is computed from those values in one place.
package rollout
