package main

import "testing"

func TestRun(t *testing.T) {
	if status := run([]string{"golang:1.26"}); status != 0 {
		t.Fatal(status)
	}
}
