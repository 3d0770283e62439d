// Package probe tries what a fleet file says must work, or must not, while a host
// runs rules that are not confirmed: a TCP connection, an HTTP answer, a login over
// another family, a command on the host.
//
// A probe is bounded by its own timeout whatever happens. What could not be tried, for
// want of a route, a login or a name, passes for no probe, least of all for one that
// must fail: a *NotTriedError says so.
package probe
