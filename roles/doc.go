// Package roles gives the fleet file its meaning: it resolves services, sets,
// roles and hosts into a Policy, one typed and self-contained value per host in
// which no name is left to look up, and proves that the policy keeps the way in
// for management.
package roles
