// Package rules has the rules of this module's code that no compiler holds, as tests.
// Each failure says what to do.
package rules
