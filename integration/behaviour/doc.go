// Package behaviour holds the tests of what the documentation promises, on a real
// engine. They have the build tag docker.
package behaviour
