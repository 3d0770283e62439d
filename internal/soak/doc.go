// Package soak plays the built program over a fleet of real hosts while things go wrong at random:
// links, daemons, programs, disks, processes, power, clocks, other administrators, and the controller
// itself. It holds tests only. After each round every host must be whole, whatever was done to it.
package soak
