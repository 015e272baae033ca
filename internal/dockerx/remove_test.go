package dockerx

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	removed    = answer{status: http.StatusNoContent}
	inProgress = refused(http.StatusConflict, "removal is already in progress")
	failed     = refused(http.StatusInternalServerError, "device or resource busy")
)

// removals are the two methods that remove; all here holds for both.
var removals = map[string]func(context.Context, *Client, time.Duration) error{
	"container c": func(ctx context.Context, c *Client, unsure time.Duration) error { return c.Remove(ctx, "c", unsure) },
	"volume v": func(ctx context.Context, c *Client, unsure time.Duration) error {
		return c.RemoveVolume(ctx, "v", unsure)
	},
}

func removing(t *testing.T, s *script) *Client {
	t.Helper()
	return fakeEngine(t, routes{
		"DELETE /containers/c": func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("force") != "1" || r.FormValue("v") != "1" {
				t.Errorf("a running container, or its anonymous volumes, would stay: %s", r.URL)
			}
			s.serve(w, r)
		},
		"DELETE /volumes/v": s.serve,
	})
}

func TestRemove(t *testing.T) {
	for what, remove := range removals {
		for name, answers := range map[string][]answer{
			"there":                 {removed},
			"not there":             {notFound},
			"removal under way":     {inProgress, inProgress, notFound},
			"other removal fails":   {inProgress, removed},
			"engine fails at first": {failed, failed, removed},
			"engine fails, gone":    {failed, notFound},
		} {
			t.Run(what+"/"+name, func(t *testing.T) {
				s := inTurn(answers...)
				require.NoError(t, remove(context.Background(), removing(t, s), 0))
				require.Equal(t, len(answers), s.count())
			})
		}
	}
}

// A create whose answer was lost may still succeed after the first look.
func TestRemoveUnsure(t *testing.T) {
	for what, remove := range removals {
		t.Run(what, func(t *testing.T) {
			late := inTurn(notFound, notFound, notFound, removed)
			require.NoError(t, remove(context.Background(), removing(t, late), time.Minute))
			require.Equal(t, 4, late.count())

			never, start := inTurn(notFound), time.Now()
			require.NoError(t, remove(context.Background(), removing(t, never), 100*time.Millisecond))
			require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
		})
	}
}

func TestRemoveNamesWhatIsLeft(t *testing.T) {
	for what, remove := range removals {
		for name, last := range map[string]answer{"failing": failed, "in progress for ever": inProgress, "silent": {}} {
			t.Run(what+"/"+name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				inTime(t, func() {
					err := remove(ctx, removing(t, inTurn(last)), 0)
					require.ErrorContains(t, err, what+" may be left: ")
				})
			})
		}
	}
}

// When it is not settled yet that nothing was made, something may be left.
func TestRemoveCutShortIsUnsure(t *testing.T) {
	for what, remove := range removals {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		err := remove(ctx, removing(t, inTurn(notFound)), time.Minute)
		require.ErrorContains(t, err, what+" may be left: ")
	}
}

// One answer that never comes does not use up the whole clean-up.
func TestRemoveAsksAgainAfterSilence(t *testing.T) {
	for what, remove := range removals {
		s := inTurn(answer{}, removed)
		c := removing(t, s)
		inTime(t, func() { require.NoError(t, remove(brief, c, 0)) })
		require.GreaterOrEqual(t, s.count(), 2, what)
	}
}

// Nor does it if the bound of a call is longer than the clean-up.
func TestRemoveAsksAgainInTime(t *testing.T) {
	for what, remove := range removals {
		s := inTurn(answer{}, removed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.NoError(t, remove(ctx, removing(t, s), 0), what)
		require.Equal(t, 2, s.count(), what)
	}
}

// An engine that has too few open files for a deep tree is not asked again, which
// would take them from everybody for a while; and its text may be long.
func TestRemoveOfATreeTooDeep(t *testing.T) {
	deep := "openfdat " + strings.Repeat("/d", 40_000) + ": too many open files"
	for what, remove := range removals {
		s := inTurn(refused(http.StatusInternalServerError, deep))
		err := remove(context.Background(), removing(t, s), 0)
		require.ErrorContains(t, err, what+" may be left")
		require.ErrorContains(t, err, "too many open files")
		require.Less(t, len(err.Error()), 5000)
		require.Equal(t, 1, s.count())
	}
}
