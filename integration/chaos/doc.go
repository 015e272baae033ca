// Package chaos holds tests of runs that others disturb: other clients of
// the engine, kills of the calling process, engines that die, Sweeps of several
// processes, and hundreds of runs in a row. The tests have the build tag docker.
package chaos
