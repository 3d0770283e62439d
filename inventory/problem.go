package inventory

// Severity says what a Problem does to the command that finds it.
type Severity int

const (
	// Error stops the command before any host is touched.
	Error Severity = iota
	// Warning is a lint: printed, an error only with --strict.
	Warning
	// Note is printed and never stops anything.
	Note
)

// Problem is one finding about a fleet file, with all a person needs to mend it.
type Problem struct {
	Severity Severity
	Place    Place
	Width    int    // characters to underline, at least 1
	Source   string // the offending line as written, "" if there is none
	Msg      string // lower case, no full stop
	Hint     string // what to do next, "" if Msg says it all
}
