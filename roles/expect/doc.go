// Package expect runs the policy tests of a fleet file: it asks the rules of both
// ends of a flow what they do with all of it, every address of both ends and every
// port, and tells where an answer is not the one that the test expects.
package expect
