// Package sandbox loads rulesets on this machine, into network namespaces that end
// with the load, and tells what the local nft or iptables says of them. Nothing of
// this machine's own network is touched. Root is not needed where the kernel lets
// users make namespaces (user_namespaces(7)).
package sandbox
