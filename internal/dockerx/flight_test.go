package dockerx

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func nobody(Progress) {}

// Whoever wants the same waits for the one that is under way. Who gives up harms no
// other, and the last one ends it.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := flightKey{ref: t.Name()}
		begun, ended, release := 0, error(nil), make(chan struct{})
		do := func(ctx context.Context, report func(Progress)) error {
			begun++
			report(Progress{Layer: "layer", Done: 1})
			select {
			case <-release:
				return errors.New("not pulled")
			case <-ctx.Done():
				ended = ctx.Err()
				return ctx.Err()
			}
		}
		first, giveUp := context.WithCancel(t.Context())
		var told []Progress
		results := make(chan error, 3)
		go func() { results <- share(first, key, func(p Progress) { told = append(told, p) }, do) }()
		synctest.Wait()
		for range 2 {
			go func() { results <- share(t.Context(), key, nobody, do) }()
		}
		synctest.Wait()
		giveUp()
		require.ErrorIs(t, <-results, context.Canceled)
		require.Equal(t, []Progress{{Layer: "layer", Done: 1}}, told)
		close(release)
		for range 2 {
			require.EqualError(t, <-results, "not pulled")
		}
		require.Equal(t, 1, begun)
		require.NoError(t, ended)

		release = make(chan struct{})
		again, stop := context.WithCancel(t.Context())
		go func() { results <- share(again, key, nobody, do) }()
		synctest.Wait()
		stop()
		require.ErrorIs(t, <-results, context.Canceled)
		require.Equal(t, 2, begun, "what ended is begun anew")
		require.ErrorIs(t, ended, context.Canceled, "nobody waits for it any more")
		require.Empty(t, flights.by)
	})
}

// What differs in any part is pulled for itself.
func TestShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		all := make(chan struct{})
		var callers sync.WaitGroup
		for _, key := range []flightKey{{ref: "a"}, {ref: "b"}, {engine: "a"}, {platform: "a"}, {login: "a"}, {ref: "a"}} {
			callers.Go(func() {
				err := share(t.Context(), key, nobody, func(context.Context, func(Progress)) error {
					begun.Add(1)
					<-all
					return nil
				})
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		require.EqualValues(t, 5, begun.Load(), "two of the six are the same")
		close(all)
		callers.Wait()
	})
}

// What was reported before the end is told, and a panic is an error of all.
func TestShareToTheEnd(t *testing.T) {
	told := 0
	err := share(t.Context(), flightKey{ref: t.Name()}, func(Progress) { told++ }, func(_ context.Context, report func(Progress)) error {
		for range 50 {
			report(Progress{})
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 50, told)
	err = share(t.Context(), flightKey{ref: t.Name()}, nobody, func(context.Context, func(Progress)) error { panic("as ordered") })
	require.EqualError(t, err, "the pull panicked: as ordered")
}

// What a registry's refusal means, by the texts of engines.
func TestExplain(t *testing.T) {
	who := Login{Username: "me", Password: "secret"}
	for text, c := range map[string]struct {
		login Login
		want  string
	}{
		"toomanyrequests: You have reached your pull rate limit":                                 {Login{}, "or wait"},
		"pull access denied for x, repository does not exist or may require 'docker login'":      {Login{}, "use docker login or Options.Credentials"},
		"Head \"https://r/v2/x/manifests/1\": no basic auth credentials":                         {Login{Missing: errors.New("the helper is gone")}, "the helper is gone"},
		"unauthorized: authentication required":                                                  {who, `refuses the credentials for user "me"`},
		"429 Too Many Requests - Server message: slow down":                                      {Login{}, "or wait"},
		"net/http: TLS handshake timeout":                                                        {Login{}, "the engine cannot reach the registry"},
		"pull: no progress from the engine for 1m0s":                                             {Login{}, "the engine cannot reach the registry"},
		"manifest for r/x:2 not found: manifest unknown: manifest unknown":                       {Login{}, "check the image's name, tag and platform"},
		"no matching manifest for linux/arm64 in the manifest list entries":                      {who, "check the image's name, tag and platform"},
		"Get \"https://r/v2/\": dial tcp: lookup r: no such host":                                {Login{}, "the engine cannot reach the registry"},
		"Get \"https://r/v2/\": tls: failed to verify certificate: x509: certificate signed by…": {Login{}, "the engine cannot reach the registry"},
	} {
		err := c.login.explain(errors.New(text))
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "secret")
	}
	for _, text := range []string{"disk full", "write /var/lib/docker/tmp/x: permission denied"} {
		plain := errors.New(text)
		require.Equal(t, plain, Login{}.explain(plain))
	}
}
