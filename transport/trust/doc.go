// Package trust holds what this machine knows before it talks to a host: which
// host keys are recorded in known_hosts files, and which keys, in files or in
// ssh-agent, it can log in with. It contacts no host.
package trust
