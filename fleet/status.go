package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Report is how a fleet is.
type Report struct {
	Queues  map[string]int // how many jobs wait and run, by queue
	Oldest  time.Duration  // how long ago the oldest of these was sent
	Workers []WorkerReport
}

// WorkerReport is how a worker is.
type WorkerReport struct {
	Name        string
	Queue       string
	Concurrency int
	Running     []RunningJob
}

// RunningJob is a job that a worker runs.
type RunningJob struct {
	Client, ID string
	Delivery   uint64    // how often it has been given to a worker
	Since      time.Time // by the worker's clock
}

// Status asks the server how many jobs there are, and all workers what they do. It needs the
// rights of an operator. Workers that do not answer within half a second are not there.
func Status(ctx context.Context, nc *nats.Conn) (Report, error) {
	r := Report{Queues: map[string]int{}}
	js, err := jetstream.New(nc)
	if err != nil {
		return r, fmt.Errorf("fleet: %w", err)
	}
	stream, err := js.Stream(ctx, jobsStream)
	if err != nil {
		return r, fmt.Errorf("fleet: the stream of jobs: %w", err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter("sandbox.job.>"))
	if err != nil {
		return r, fmt.Errorf("fleet: the stream of jobs: %w", err)
	}
	for subject, count := range info.State.Subjects {
		r.Queues[strings.Split(subject, ".")[2]] += int(count)
	}
	if info.State.Msgs > 0 {
		r.Oldest = time.Since(info.State.FirstTime)
	}
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		return r, fmt.Errorf("fleet: %w", err)
	}
	defer answers.Unsubscribe()
	if err := nc.PublishRequest(statusSubject, inbox, nil); err != nil {
		return r, fmt.Errorf("fleet: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil { // there are no more
			return r, nil
		}
		var w WorkerReport
		if json.Unmarshal(m.Data, &w) == nil && w.Queue != "" {
			r.Workers = append(r.Workers, w)
		}
	}
}

// running are the jobs that a worker runs.
type running struct {
	mu   sync.Mutex
	jobs map[*delivery]RunningJob
}

// begin notes a job until the function that it returns is called.
func (r *running) begin(d *delivery) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.jobs == nil {
		r.jobs = map[*delivery]RunningJob{}
	}
	r.jobs[d] = RunningJob{Client: d.client, ID: d.id, Delivery: d.number, Since: time.Now()}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.jobs, d)
	}
}

func (w *Worker) tellStatus(m *nats.Msg) {
	report := WorkerReport{Name: w.options.Name, Queue: w.options.Queue, Concurrency: w.options.Concurrency}
	w.running.mu.Lock()
	for _, job := range w.running.jobs {
		report.Running = append(report.Running, job)
	}
	w.running.mu.Unlock()
	if data, err := json.Marshal(report); err == nil {
		m.Respond(data)
	}
}
