package owner

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever an image's labels say, none of them becomes one of a run.
func TestAllLabelsAreAlwaysSet(t *testing.T) {
	all := []string{LabelRun, LabelOwner, LabelExpires, LabelTimeout, LabelEnding, LabelReading}
	for _, l := range []Limits{{}, {Timeout: 1}, {time.Minute, time.Hour, time.Second}} {
		labels := Labels(RandomID(), time.Time{})
		l.Label(labels)
		require.ElementsMatch(t, all, slices.Collect(maps.Keys(labels)))
		require.NotContains(t, slices.Collect(maps.Values(labels)), "")
		require.Equal(t, l, LimitsOf(labels))
	}
}

func TestLimitsOfLabels(t *testing.T) {
	for _, l := range []Limits{{1, 0, 0}, {math.MaxInt64, math.MaxInt64, math.MaxInt64}, {5 * time.Minute, 90 * time.Second, 0}} {
		labels := map[string]string{}
		l.Label(labels)
		require.Equal(t, l, LimitsOf(labels))
	}
	good := map[string]string{LabelTimeout: "1s", LabelEnding: "1s", LabelReading: "0s"}
	require.Positive(t, LimitsOf(good).Timeout)
	for label, bad := range map[string][]string{
		LabelTimeout: {"", NoExpiry, "0s", "-1s", "1", "9999999h", "1s "},
		LabelEnding:  {"", NoExpiry, "-1s", "1", "9999999h"},
		LabelReading: {"", NoExpiry, "-1s", "1", "9999999h"},
	} {
		for _, text := range bad {
			labels := maps.Clone(good)
			labels[label] = text
			require.Equal(t, Limits{}, LimitsOf(labels), "%s=%s", label, text)
		}
	}
}

func TestKeepReasonByStart(t *testing.T) {
	started := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	labels := map[string]string{}
	Limits{Timeout: time.Minute, Ending: time.Second, Reading: time.Hour}.Label(labels)
	reason := func(after time.Duration, running bool) string {
		return KeepReasonByStart(labels, started, running, started.Add(after))
	}
	require.Equal(t, notSeen+"it must have ended at 2026-05-04T03:03:02Z", reason(time.Minute+time.Second-1, true))
	require.Empty(t, reason(time.Minute+time.Second, true))
	require.Equal(t, notSeen+"it must have ended at 2026-05-04T04:03:02Z", reason(time.Minute+time.Second, false))
	require.Empty(t, reason(time.Hour+time.Minute+time.Second, false))
	require.Equal(t, notSeen+"its command has not started", KeepReasonByStart(labels, time.Time{}, false, started))
}

// FuzzOver compares with arithmetic that has no limits: a run is over when that says so,
// or never; it is not over sooner, whatever its limits are.
func FuzzOver(f *testing.F) {
	f.Add(int64(5*time.Minute), int64(90*time.Second), int64(0), int64(6*time.Minute), true)
	f.Add(int64(math.MaxInt64), int64(90*time.Second), int64(time.Hour), int64(0), false)
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), true)
	f.Fuzz(func(t *testing.T, timeout, ending, reading, after int64, running bool) {
		l := Limits{time.Duration(timeout), time.Duration(ending), time.Duration(reading)}
		labels := Labels("", time.Time{})
		if l.Timeout > 0 && l.Ending >= 0 && l.Reading >= 0 {
			l.Label(labels)
			require.Equal(t, l, LimitsOf(labels))
		} else {
			require.Equal(t, Limits{}, LimitsOf(labels))
			return
		}
		sum := big.NewInt(timeout)
		sum.Add(sum, big.NewInt(ending))
		if !running {
			sum.Add(sum, big.NewInt(reading))
		}
		if longest := big.NewInt(math.MaxInt64); sum.Cmp(longest) > 0 {
			sum = longest
		}
		started := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
		over := l.Over(started, running)
		require.Equal(t, sum.Int64(), int64(over.Sub(started)))
		why := KeepReasonByStart(labels, started, running, started.Add(time.Duration(after)))
		require.Equal(t, after < sum.Int64(), why != "", "%v after its start, with %+v", time.Duration(after), l)
	})
}

// FuzzSum: no sum has another sign than arithmetic without limits gives it, or is
// farther from zero.
func FuzzSum(f *testing.F) {
	year9999 := time.Until(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	f.Add(int64(year9999), int64(90*time.Second))
	f.Add(int64(math.MinInt64), int64(90*time.Second))
	f.Add(int64(math.MinInt64), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, a, b int64) {
		want := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		switch {
		case want.Cmp(big.NewInt(math.MaxInt64)) > 0:
			want.SetInt64(math.MaxInt64)
		case want.Cmp(big.NewInt(math.MinInt64)) < 0:
			want.SetInt64(math.MinInt64)
		}
		require.Equal(t, want.Int64(), int64(Sum(time.Duration(a), time.Duration(b))))
		require.Equal(t, Sum(time.Duration(a), time.Duration(b)), Sum(time.Duration(b), time.Duration(a)))
	})
}
