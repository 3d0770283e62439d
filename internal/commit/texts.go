package commit

// Texts are what a host is sent. What stands in for a host in tests knows it by them,
// and answers to nothing else.
type Texts struct {
	Begin, Inspect, Finish, Doctor, Past string // each the first line of standard input
	Revert, Loader, Canary               string // files
}

// HostTexts are the texts of this version for a host in mode coexist.
func HostTexts() Texts { return textsIn(ModeCoexist) }

// ExclusiveTexts are those for a host in mode exclusive.
func ExclusiveTexts() Texts { return textsIn(ModeExclusive) }

func textsIn(m Mode) Texts {
	return Texts{
		Begin: oneLine(beginProgram(m)), Inspect: oneLine(inspectProgram(m)), Finish: oneLine(finishProgram()), Doctor: oneLine(doctorProgram(m)), Past: oneLine(pastProgram()),
		Revert: revertProgram(m), Loader: bootProgram(m), Canary: canaryProgram(),
	}
}
