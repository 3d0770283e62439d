// Package kerneltest asks the kernel whether a role that is proposed for rules lets in what
// they do. It needs root.
package kerneltest
