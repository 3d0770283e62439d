// Package roles gives the fleet file its meaning: it resolves services, sets,
// roles and hosts into a Policy, one typed and self-contained value per host in
// which no name is left to look up, decides packets on it, and proves that it
// keeps the way in for management. Check finds what is wrong or unlikely to be
// meant in the references of a whole file.
//
// Order never matters: management comes before every deny, every deny before
// every allow, and the default last. So roles compose by union.
package roles
