// Package services holds the services that every fleet file knows without
// defining them.
package services
