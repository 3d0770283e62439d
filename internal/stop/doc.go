// Package stop kills the program at a step, for tests of what a controller that dies
// leaves behind. Only a build with the tag fwpushtest can be killed so.
package stop
