package record

import (
	"time"

	"fwpush/internal/journal"
	"fwpush/internal/rollout"
	"fwpush/inventory"
)

// Hosts are the targets of a run, as they are written down.
func Hosts(targets []rollout.Target, waves []rollout.Wave) []journal.Host {
	hosts := make([]journal.Host, len(targets))
	for i, t := range targets {
		hosts[i] = journal.Host{Name: t.Host.Name, Digest: t.Candidate.Rules.Digest, Remove: t.Candidate.Remove, SSH: endpoint(t.Host.SSH)}
	}
	for n, w := range waves {
		for _, i := range w.Targets {
			hosts[i].Wave = n + 1
		}
	}
	return hosts
}

// endpoint is the way to a host as it is written down: every hop by itself.
func endpoint(e inventory.Endpoint) journal.Endpoint {
	var hops []journal.Endpoint
	for via := e.Via; via != nil; via = via.Via {
		hops = append([]journal.Endpoint{hop(*via)}, hops...)
	}
	way := hop(e)
	way.Name, way.Jump = "", hops
	return way
}

func hop(e inventory.Endpoint) journal.Endpoint {
	return journal.Endpoint{Name: e.Name, Address: e.Address, Port: e.Port, User: e.User, Become: e.Become,
		Identity: e.Identity, KnownHosts: e.KnownHosts, Timeout: e.ConnectTimeout.Seconds(), JumpLogins: e.JumpLogins,
		HostKeyAlias: e.HostKeyAlias, RevokedKeys: e.RevokedKeys, HashNames: e.HashNames, Certificates: e.Certificates, OtherKeys: e.OtherKeys, IdentityAgent: e.IdentityAgent,
		Family: e.AddressFamily, Bind: e.BindAddress, BindInterface: e.BindInterface, ProxyCommand: e.ProxyCommand}
}

// Endpoint is the way to a host that was written down.
func Endpoint(name string, e journal.Endpoint) inventory.Endpoint {
	var via *inventory.Endpoint
	for _, h := range e.Jump {
		next := back(h.Name, h)
		next.Via = via
		via = &next
	}
	way := back(name, e)
	way.Via = via
	if via != nil {
		way.Jump = via.Name
	}
	return way
}

func back(name string, e journal.Endpoint) inventory.Endpoint {
	return inventory.Endpoint{Name: name, Address: e.Address, Port: e.Port, User: e.User, Become: e.Become,
		Identity: e.Identity, KnownHosts: e.KnownHosts, ConnectTimeout: time.Duration(e.Timeout * float64(time.Second)), JumpLogins: e.JumpLogins,
		HostKeyAlias: e.HostKeyAlias, RevokedKeys: e.RevokedKeys, HashNames: e.HashNames, Certificates: e.Certificates, OtherKeys: e.OtherKeys, IdentityAgent: e.IdentityAgent,
		AddressFamily: e.Family, BindAddress: e.Bind, BindInterface: e.BindInterface, ProxyCommand: e.ProxyCommand}
}
