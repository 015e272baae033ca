// Package faults holds tests that break the requests of a run to the engine, one at
// a time and in every way that can go wrong, and change what is sent and answered.
// Whatever happens, the result must be complete or the error true, and nothing may
// be left on the engine. The tests have the build tag docker.
package faults
