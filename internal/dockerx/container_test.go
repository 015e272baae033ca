package dockerx

import (
	"context"
	"net/http"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"
)

func TestInspect(t *testing.T) {
	for name, c := range map[string]struct {
		answer answer
		want   State
	}{
		"created":    {state("created", 0), State{Created: true, Running: true}},
		"running":    {state("running", 0), State{Running: true}},
		"paused":     {state("paused", 0), State{Running: true}},
		"restarting": {state("restarting", 1), State{Running: true}},
		"exited":     {state("exited", 7), State{ExitCode: 7}},
		"removing":   {state("removing", 7), State{Gone: true}},
		"dead":       {state("dead", 7), State{Gone: true}},
		"absent":     {notFound, State{Gone: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fakeEngine(t, routes{inspectRoute: inTurn(c.answer).serve}).Inspect(context.Background(), "c")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestInspectFails(t *testing.T) {
	for _, body := range []string{"{}", "null", `{"State":null}`, "<html>", ""} {
		engine := fakeEngine(t, routes{inspectRoute: inTurn(answer{200, body}).serve})
		_, err := engine.Inspect(context.Background(), "c")
		require.Error(t, err, "%q", body)
	}
}

func TestKill(t *testing.T) {
	for name, c := range map[string]struct {
		answer answer
		killed bool
		err    string
	}{
		"killed":        {answer{status: 204}, true, ""},
		"not running":   {refused(409, "container c is not running"), false, ""},
		"gone":          {notFound, false, ""},
		"engine failed": {refused(500, "boom"), false, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{"POST /containers/c/kill": func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, "SIGKILL", r.FormValue("signal"))
				inTurn(c.answer).serve(w, r)
			}})
			killed, err := engine.Kill(context.Background(), "c")
			require.Equal(t, c.killed, killed)
			if c.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.err)
		})
	}
}

// Whether a failed create can have made something decides what clean-up looks
// for.
func TestOutcomeKnown(t *testing.T) {
	for name, c := range map[string]struct {
		engine http.HandlerFunc
		known  bool
	}{
		"made":              {inTurn(answer{201, `{"Id":"1"}`}).serve, true},
		"bad request":       {inTurn(refused(400, "boom")).serve, true},
		"forbidden":         {inTurn(refused(403, "boom")).serve, true},
		"no image":          {inTurn(notFound).serve, true},
		"name taken":        {inTurn(refused(409, "boom")).serve, true},
		"engine failed":     {inTurn(failed).serve, false},
		"proxy gave up":     {inTurn(refused(504, "boom")).serve, false},
		"proxy's timeout":   {inTurn(refused(408, "boom")).serve, false},
		"answer broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		"answer cut":        {inTurn(answer{201, `{"Id":"1`}).serve, false},
		"answer empty":      {inTurn(answer{201, "{}"}).serve, false},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{"POST /containers/create": c.engine})
			err := engine.Create(context.Background(), "c", &container.Config{}, &container.HostConfig{}, "")
			require.Equal(t, name == "made", err == nil)
			require.Equal(t, c.known, OutcomeKnown(err), "%v", err)
		})
	}
}

// Nothing is joined but what has the marks, runs, and has no network.
func TestCheckNamespace(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	holder := func(label, running, disabled, mode string) answer {
		return answer{200, `{"Id":"` + id + `","State":{"Status":"running","Running":` + running + `},"HostConfig":{"NetworkMode":"` + mode +
			`"},"Config":{"NetworkDisabled":` + disabled + `,"Labels":{"run":"` + label + `"}}}`}
	}
	mine := func(labels map[string]string) bool { return labels["run"] == "mine" }
	for name, c := range map[string]struct {
		answer answer
		err    string // "" = accepted
	}{
		"ours":                  {holder("mine", "true", "true", "none"), ""},
		"another's":             {holder("other", "true", "true", "none"), "is not of this library"},
		"ended":                 {holder("mine", "false", "true", "none"), "has ended"},
		"on network none":       {holder("mine", "true", "false", "none"), "has a network"},
		"on the host's network": {holder("mine", "true", "false", "host"), "has a network"},
		"in another namespace":  {holder("mine", "true", "true", "container:x"), "has a network"},
		"on a bridge":           {holder("mine", "true", "true", "bridge"), "has a network"},
		"absent":                {notFound, "removed by another client"},
		"engine fails":          {failed, "busy"},
		"answer of nothing":     {answer{200, `{"Id":"x","State":{}}`}, "is not of this library"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fakeEngine(t, routes{"GET /containers/c/json": inTurn(c.answer).serve}).CheckNamespace(context.Background(), "c", mine)
			if c.err == "" {
				require.NoError(t, err)
				require.Equal(t, id, got)
				return
			}
			require.ErrorContains(t, err, c.err)
			require.ErrorContains(t, err, `"c"`)
			require.Empty(t, got)
		})
	}
}

func TestCheckNetwork(t *testing.T) {
	network := func(name, driver string) answer {
		return answer{200, `{"Name":"` + name + `","Driver":"` + driver + `"}`}
	}
	for name, c := range map[string]struct {
		answer answer
		err    string // "" = accepted
	}{
		"user-defined":         {network("n", "bridge"), ""},
		"overlay":              {network("n", "overlay"), ""},
		"the host's, by name":  {network("n", "host"), "is not isolated"},
		"null, by name":        {network("n", "null"), "is not isolated"},
		"an ID":                {network("other", "bridge"), `is the ID of network "other"`},
		"the ID of the host's": {network("host", "host"), `is the ID of network "host"`},
		"absent":               {notFound, "has no such network"},
		"engine fails":         {failed, "busy"},
		"answer of nothing":    {answer{200, "{}"}, `is the ID of network ""`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fakeEngine(t, routes{"GET /networks/n": inTurn(c.answer).serve}).CheckNetwork(context.Background(), "n")
			if c.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.err)
			require.ErrorContains(t, err, `"n"`)
		})
	}
}
