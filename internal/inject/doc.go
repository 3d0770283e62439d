// Package inject makes system calls of a process tree fail, or die in the middle of the program
// that makes them, one at a time: for tests of what has to survive that.
//
// A tree runs under a seccomp filter that asks this process about each call of some kinds
// (seccomp_unotify(2)), whoever of the tree makes it. So calls have one order and one count over
// all processes of the tree, children of children and daemons among them, and no program can tell
// that it is looked at: the call that does not fail is the kernel's own. strace counts the calls of
// each process alone, and most programs of a script make one rename in their life.
package inject
