package owner

import (
	"math"
	"time"
)

// Limits tell how long the container of a run's command can be of use to the run. They do
// not tell from when: the start is not known when the container gets its labels.
type Limits struct {
	Timeout time.Duration // of the command, from its start; 0 = none
	Ending  time.Duration // of the run, from the timeout, but for the next
	Reading time.Duration // of the artifacts, while the container has stopped
}

// Label writes the limits to a container's labels. Without a timeout there are none.
func (l Limits) Label(labels map[string]string) {
	labels[LabelTimeout], labels[LabelEnding], labels[LabelReading] = NoExpiry, NoExpiry, NoExpiry
	if l.Timeout > 0 {
		labels[LabelTimeout] = l.Timeout.String()
		labels[LabelEnding] = l.Ending.String()
		labels[LabelReading] = l.Reading.String()
	}
}

// LimitsOf is the reverse of Label. Labels that it does not understand have no timeout.
func LimitsOf(labels map[string]string) Limits {
	timeout, err1 := time.ParseDuration(labels[LabelTimeout])
	ending, err2 := time.ParseDuration(labels[LabelEnding])
	reading, err3 := time.ParseDuration(labels[LabelReading])
	if err1 != nil || err2 != nil || err3 != nil || timeout <= 0 || ending < 0 || reading < 0 {
		return Limits{}
	}
	return Limits{timeout, ending, reading}
}

// Over is when a run must have ended whose container was started, and is running or has
// stopped.
func (l Limits) Over(started time.Time, running bool) time.Time {
	if running {
		return started.Add(Sum(l.Timeout, l.Ending))
	}
	return started.Add(Sum(l.Timeout, l.Ending, l.Reading))
}

// Sum adds durations, from the left. What is too long for one, such as the time until the
// year 9999, is the longest, some 292 years.
func Sum(durations ...time.Duration) (sum time.Duration) {
	for _, d := range durations {
		switch {
		case d > 0 && sum > math.MaxInt64-d:
			sum = math.MaxInt64
		case d < 0 && sum < math.MinInt64-d:
			sum = math.MinInt64
		default:
			sum += d
		}
	}
	return sum
}
