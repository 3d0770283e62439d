package commit

// Texts are what a host is sent. What stands in for a host in tests knows it by them,
// and answers to nothing else.
type Texts struct {
	Begin, Inspect, Finish, Doctor string // each the first line of standard input
	Revert, Loader, Canary         string // files
}

// HostTexts are the texts of this version.
func HostTexts() Texts {
	return Texts{
		Begin: oneLine(beginProgram(ModeCoexist)), Inspect: oneLine(inspectProgram(ModeCoexist)), Finish: oneLine(finishProgram()), Doctor: oneLine(doctorProgram(ModeCoexist)),
		Revert: revertProgram(ModeCoexist), Loader: bootProgram(ModeCoexist), Canary: canaryProgram(),
	}
}
