//go:build !linux

package isolation

// strictSeccomp does not exist here: the profile's source is for Linux alone.
func strictSeccomp() string { return "" }
