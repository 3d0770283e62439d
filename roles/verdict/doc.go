// Package verdict decides packets as the rulesets of a policy do: for the first
// packet of a connection, or for all packets of a region at once, what becomes of
// it, at which stage of the chain, by which rule and where the fleet file says so.
//
// It reads the policy and nothing that is rendered, so that it and a ruleset can
// be held against each other.
package verdict
