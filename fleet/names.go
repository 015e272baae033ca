package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
)

// What is kept on the server. Every name of it begins with the word sandbox.
const jobsStream = "sandbox-jobs"

// DefaultName is the name of a client, and of a queue, that is given none.
const DefaultName = "default"

// bucket is the name of a client's buckets: one of results, and one of objects. Others have no
// rights there.
func bucket(client string) string { return "sandbox-" + client }

// jobSubject is where a job is sent to. A client may send jobs by its own name alone, so that
// the subject tells a worker whose it is.
func jobSubject(queue, client, id string) string {
	return "sandbox.job." + queue + "." + client + "." + id
}

// parseJobSubject is the opposite of jobSubject.
func parseJobSubject(subject string) (client, id string, err error) {
	part := strings.Split(subject, ".")
	if len(part) != 5 || !name.MatchString(part[3]) || !name.MatchString(part[4]) {
		return "", "", fmt.Errorf("subject %q is not that of a job", subject)
	}
	return part[3], part[4], nil
}

// liveSubject is where the client serves the readers and writers of a job, by verb.
func liveSubject(client, id, nonce, verb string) string {
	return "sandbox.live." + client + "." + id + "." + nonce + "." + verb
}

// doneSubject is where the result of a job is told.
func doneSubject(client, id string) string { return "sandbox.done." + client + "." + id }

// cancelSubject is where the worker that has a job hears that its client has given it up.
func cancelSubject(client, id string) string { return "sandbox.cancel." + client + "." + id }

// statusSubject is where workers say how they are.
const statusSubject = "sandbox.status"

func resultKey(id string) string { return "result." + id }

// claimKey has the number of the last delivery of a call's job, but for the first.
func claimKey(nonce string) string { return "claim." + nonce }

// goneKey says that the call of that nonce has given its job up.
func goneKey(nonce string) string { return "gone." + nonce }

// wantedSubject is where every call answers that waits for a job.
func wantedSubject(client, id string) string { return "sandbox.wanted." + client + "." + id }

// name is what clients, queues and jobs may be called: a token of a subject, and part of the
// names of buckets.
var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func checkName(field, value string) error {
	if !name.MatchString(value) {
		return fmt.Errorf("%s %q: want 1 to 64 letters, digits, dashes and underscores", field, value)
	}
	return nil
}

type idKey struct{}

// WithID returns a context whose job has that ID, of up to 64 letters, digits, dashes and
// underscores. A client that comes back with the ID of a job of its name gets that job's result,
// whether it is queued, runs, or ended less than [Config.Keep] ago. Another job with that ID is
// an error, [ErrIDTaken]; but the inputs are not compared. Without WithID a job gets a random ID.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// idOf returns the ID of the next job, and whether the caller chose it.
func idOf(ctx context.Context) (id string, chosen bool, err error) {
	if id, chosen = ctx.Value(idKey{}).(string); chosen {
		return id, true, checkName("WithID", id)
	}
	return rand.Text(), false, nil
}
