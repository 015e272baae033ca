//go:build docker

package fleet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// Whatever a client puts into its messages and buckets, the worker goes on.
func TestHostileClient(t *testing.T) {
	g := newGround(t, Config{Clients: []string{"default", "victim"}})
	g.worker(WorkerOptions{Name: "one", Concurrency: 1})
	c := g.client(Options{})
	objects, err := c.stores.objectsOf(t.Context(), DefaultName)
	require.NoError(t, err)
	meta := func(name string, info jetstream.ObjectInfo) {
		info.Name, info.Bucket = name, bucket(DefaultName)
		data, err := json.Marshal(info)
		require.NoError(t, err)
		m := nats.NewMsg("$O." + bucket(DefaultName) + ".M." + encoded(name))
		m.Data = data
		m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		_, err = c.js.PublishMsg(t.Context(), m)
		require.NoError(t, err)
	}
	link := func(bucket, name string) *jetstream.ObjectMetaOptions {
		return &jetstream.ObjectMetaOptions{Link: &jetstream.ObjectLink{Bucket: bucket, Name: name}}
	}
	victims, err := c.stores.objectsOf(t.Context(), "victim")
	require.NoError(t, err)
	_, err = victims.PutBytes(t.Context(), "secret.0", tarball.Of(tarball.File{Name: "secret", Body: "secret"}))
	require.NoError(t, err)
	meta("self.0", jetstream.ObjectInfo{NUID: "x", Size: 1, ObjectMeta: jetstream.ObjectMeta{Opts: link(bucket(DefaultName), "self.0")}})
	meta("other.0", jetstream.ObjectInfo{NUID: "x", Size: 1, ObjectMeta: jetstream.ObjectMeta{Opts: link(bucket("victim"), "secret.0")}})
	meta("job.0", jetstream.ObjectInfo{NUID: "x", Size: 1, ObjectMeta: jetstream.ObjectMeta{Opts: link(bucket("victim"), "secret.0")}})
	_, err = objects.PutBytes(t.Context(), "broken.0", []byte("no tar"))
	require.NoError(t, err)

	command := wire.NewCommand(shell("cat /workspace/*"))
	var mounts []sandbox.Mount
	for range 20_000 {
		mounts = append(mounts, sandbox.Mount{})
	}
	many := wire.NewCommand(sandbox.Job{Image: "x", Cmd: []string{"x"}, Mounts: mounts})
	greedy := wire.NewCommand(sandbox.Job{Image: "x", Cmd: []string{"x"}, Limits: sandbox.Limits{LogBytes: 1 << 40}})
	for id, job := range map[string]wire.Job{
		"no-such-object": {Nonce: "n", Object: "absent", Parts: math.MaxInt},
		"endless-parts":  {Nonce: "n", Input: "absent", Parts: math.MaxInt, Command: command},
		"negative-parts": {Nonce: "n", Input: "absent", Parts: math.MinInt, Command: command},
		"self":           {Nonce: "n", Input: "self", Parts: 1, Command: command},
		"other":          {Nonce: "n", Input: "other", Parts: 1, Command: command},
		"other-job":      {Nonce: "n", Object: "job", Parts: 1},
		"broken":         {Nonce: "n", Object: "broken", Parts: 1},
		"many-mounts":    {Nonce: "n", Command: many},
		"greedy":         {Nonce: "n", Command: greedy},
		"empty":          {},
	} {
		data, err := job.Marshal()
		require.NoError(t, err)
		_, err = c.js.Publish(t.Context(), jobSubject(DefaultName, DefaultName, id), data)
		require.NoError(t, err)
	}
	_, err = c.js.Publish(t.Context(), jobSubject(DefaultName, DefaultName, "garbage"), []byte{0xff, 0x00})
	require.NoError(t, err)
	_, err = c.js.Publish(t.Context(), jobSubject(DefaultName, "nobody", "x"), nil)
	require.NoError(t, err)
	began := time.Now()
	for range 3 {
		res, err := c.RunOnce(t.Context(), shell("echo fine"))
		require.NoError(t, err)
		require.Equal(t, "fine\n", string(res.Logs))
	}
	require.Less(t, time.Since(began), time.Minute)
	for id, want := range map[string]string{
		"other": "is a link", "other-job": "is a link", "self": "is a link", "many-mounts": "and 19980 more", "greedy": "Limits.LogBytes", "garbage": "cannot be read",
	} {
		var text string
		await(t, id, func() bool {
			results, err := c.stores.resultsOf(t.Context(), DefaultName)
			require.NoError(t, err)
			entry, err := results.Get(t.Context(), resultKey(id))
			if err != nil {
				return false
			}
			r, _, err := wire.UnmarshalResult(entry.Value())
			require.NoError(t, err)
			text = r.Fault.Err(nil).Error()
			return true
		})
		require.Contains(t, text, want, id)
	}
}

// encoded is how the name of an object is part of a subject.
func encoded(name string) string { return base64.URLEncoding.EncodeToString([]byte(name)) }

// A worker answers nobody in another client's name.
func TestCancelWithAForeignReply(t *testing.T) {
	g := newGround(t, Config{})
	g.worker(WorkerOptions{Name: "one"})
	c := g.client(Options{})
	end := begin(WithID(t.Context(), "job"), c, g.gated("echo ran"))
	g.running("one")
	told := make(chan *nats.Msg, 1)
	_, err := g.nc.ChanSubscribe("$KV.sandbox-victim.result.x", told)
	require.NoError(t, err)
	require.NoError(t, g.nc.PublishRequest(cancelSubject(DefaultName, "job"), "$KV.sandbox-victim.result.x", nil))
	answer, err := g.nc.Request(cancelSubject(DefaultName, "job"), []byte("guessed"), 10*time.Second)
	require.NoError(t, err)
	require.NotEmpty(t, answer.Data)
	require.Empty(t, told)
	g.open()
	got := <-end
	require.NoError(t, got.err)
	require.Equal(t, "ran\n", string(got.res.Logs))
}

// An input of which a part is missing is an error, and not waited for without end.
func TestInputIsGone(t *testing.T) {
	g := newGround(t, Config{})
	c := g.client(Options{})
	j := shell("true")
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: strings.Repeat("x", partSize)}))
	end := begin(t.Context(), c, j)
	objects, err := c.stores.objectsOf(t.Context(), DefaultName)
	require.NoError(t, err)
	var list []*jetstream.ObjectInfo
	await(t, "two parts", func() bool {
		report, err := Status(t.Context(), g.nc)
		if err != nil || report.Queues[DefaultName] != 1 {
			return false
		}
		list, err = objects.List(t.Context())
		return err == nil && len(list) == 2
	})
	for _, o := range list {
		if strings.HasSuffix(o.Name, ".1") {
			require.NoError(t, objects.Delete(t.Context(), o.Name))
		}
	}
	g.worker(WorkerOptions{MaxDeliver: 2})
	got := <-end
	require.Error(t, got.err)
	require.ErrorContains(t, got.err, "it is not there any more; Config.KeepInput says for how long it is")
}
