// Package adopt makes a first fleet file of what there is: an inventory of Ansible, an
// ssh_config, or a list of hosts. What a fleet file cannot say is named in it, where the
// host stands.
package adopt
