// Package isolate runs the program once more in new network, mount, PID, IPC and UTS namespaces,
// and sees to it that nothing inside outlives the program, however it ends.
package isolate
