// Package model is fwpush's transaction on a host, small enough that every interleaving of it can be
// gone through.
//
// A State is a host, its controllers, and what may still go wrong. World.next has every step that
// may come next: one instruction of one shell (begin.go, finish.go, revert.go and persist.go here
// follow the scripts of package commit), one step of a load, one of a controller (controller.go,
// after begin.go and confirm.go there), the deadline, or a fault. Explore takes all of them from all
// states, breadth first, so that what it finds is found on a shortest way, and from every state it
// leaves the host alone: no controller speaks any more, nothing goes wrong, and however timers,
// programs and time interleave then, the host must come to rest with confirmed rules, and let the
// next Begin in. Walk goes on at random where there is too much to go through.
//
// The oracles are the invariants I1 to I9 of docs/protocol.md. They look at ghosts, which no program
// sees: what was decided, which rules were confirmed last, what was answered. A Protocol is what
// could be done wrong; its zero value is how it is done.
//
// A step is what others can see or change at once: a rename of the state file, which fails where the
// file has another name by now; a file in D or B; a load as fork, line in D/loader, look at the
// state, and rules; STOP, brood and KILL of a fence; a timer taken away; a word. Between any two a
// shell, an nft or a controller may be killed, a connection cut, the power too. What is left out or
// put together, and why nothing is missed by it:
//
//   - Time is three moments: before the deadline, after it, and so late that every timer has had
//     its turn; a sleep is a process that may make its step at any time, which is more than can
//     happen. Only the last moment waits: for timers that live and for whoever is at a decided state.
//     That one hangs is a fault, and then it is fenced, as after its time in owner_done.
//   - A word is heard as soon as it is said, and a cut takes no word that was: it is the same as one
//     right before, of which there is a state too. Other steps are not interleaved either where
//     nobody can tell (reduce.go): a rename that must fail, a look at what is over for good, and,
//     when nothing can go wrong any more, files that only the rightful owner of the state touches.
//     That it is the only one is looked at each time.
//   - What a shell does without a word between (stage, check) is one step: nothing of it counts
//     before the next rename. A child other than a load does not outlive its shell. One in the
//     middle of its rename or link of a boot file could, for as long as that takes.
//   - The disk is what programs see and what was synced last; a power cut leaves one of both. What a
//     journal writes in between is a state of an earlier cut, at which less was said.
//   - The old rules load whenever they are not killed: what follows where nft refuses them (stuck,
//     open) has tests on hosts. So have removal, drills, adoption, iptables, other versions of the
//     protocol, and a disk or /run that fails for good.
//   - Numbers of processes do not come again as long as somebody could mean the old one (base.sh
//     compares start times). Each controller has two connections at most to finish programs, and two
//     generations of timers have room; who has no room waits.
package model
