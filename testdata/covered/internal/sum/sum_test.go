package sum

import "testing"

func TestLengths(t *testing.T) {
	if got := Lengths([]string{"a", "bc"}); got != 3 {
		t.Fatal(got)
	}
}
