// Package meaning tells what a change of a policy opens and closes: not which lines
// differ, but which packets are decided otherwise, all of them and no others.
package meaning
