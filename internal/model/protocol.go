package model

// Protocol is how the transaction is done. The zero value is how fwpush does it; each field
// is a mistake that somebody could make.
type Protocol struct {
	CheckThenAct bool // a confirm looks first and renames then, whatever has become of the state
	OneTimer     bool // one timer is armed
	Unproved     bool // a timer counts when it was ordered
	Unfenced     bool // a load does not look at the state, and nobody ends one
	FenceEarly   bool // who takes over a revert ends its loads before the rename, and not after it
	PersistFirst bool // the boot file is renamed in, then comes the decision
	NoSync       bool // confirmed is said before the disk has it
	BootNewest   bool // a boot loads what was staged last
	NoTakeover   bool // a Begin waits for the dead
	ClaimBlindly bool // a Begin claims whatever became of the state since its facts
	SayEarly     bool // what is decided is told as if it were done
	DisarmFirst  bool // a confirm takes the timers away, and decides then
	NoHistory    bool // who finds another transaction says that its own was reverted
	BlindAnswer  bool // Begin says reverted after a revert that had nothing to do
	AnyTx        bool // a verb acts on what is pending, whose ever it is
	TrustLost    bool // no answer to commit is taken for success
	EarlyDial    bool // the controller confirms over a connection from before the seal
	AnyAge       bool // the host lets any connection confirm
}
