// Package transport carries one command at a time to a host over SSH and brings
// back what it says, with a deadline on every phase and a bound on every
// stream. It checks host keys strictly and knows nothing about firewalls.
//
// Nothing a host sends is trusted: lines and stderr are handed up raw and
// bounded, and error texts quote whatever part of them came from the host.
// Password logins, agent and X11 forwarding, pseudo terminals and login banners
// do not exist here.
package transport
