// Package lab makes real hosts on one machine, each a set of namespaces with its own
// sshd, atd, nftables, disk and addresses; on request a host is booted by systemd and can be rebooted.
//
// Enter moves the running program into a world of its own: new network, mount, PID, IPC and
// UTS namespaces. Hosts live inside that world, so whatever way the program ends, the kernel
// ends the hosts with it and their interfaces, mounts and rules go too. Inside the world the
// program is the controller: it stands on the bridge of the hosts and reaches them by net.Dial.
package lab
