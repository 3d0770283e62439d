// Package bench measures fwpush as people run it, the built program against others that do the same
// job, on hosts of the lab and on simulated ones. It has benchmarks only: `make bench` runs them.
// docs/benchmarks.md tells what each of them is about and what it said.
package bench
