// Package kerneltest asks the real kernel whether it does what internal/foreign is sure of: rules of
// the kinds that other programs and people load, listed as a host lists them, and packets on a wire.
package kerneltest
