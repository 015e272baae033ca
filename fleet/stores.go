package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// stores keeps the handles of clients' buckets.
type stores struct {
	js      jetstream.JetStream
	mu      sync.Mutex
	result  map[string]jetstream.KeyValue
	objects map[string]jetstream.ObjectStore
	streams map[string]jetstream.Stream // of the objects
}

func newStores(js jetstream.JetStream) *stores {
	return &stores{
		js: js, result: map[string]jetstream.KeyValue{}, objects: map[string]jetstream.ObjectStore{}, streams: map[string]jetstream.Stream{},
	}
}

func (s *stores) resultsOf(ctx context.Context, client string) (jetstream.KeyValue, error) {
	return open(ctx, &s.mu, s.result, client, s.js.KeyValue)
}

func (s *stores) objectsOf(ctx context.Context, client string) (jetstream.ObjectStore, error) {
	return open(ctx, &s.mu, s.objects, client, s.js.ObjectStore)
}

func (s *stores) streamOf(ctx context.Context, client string) (jetstream.Stream, error) {
	return open(ctx, &s.mu, s.streams, client, func(ctx context.Context, bucket string) (jetstream.Stream, error) {
		return s.js.Stream(ctx, "OBJ_"+bucket)
	})
}

// open returns the handle of a client's bucket, which it asks for once.
func open[H any](ctx context.Context, mu *sync.Mutex, known map[string]H, client string, ask func(context.Context, string) (H, error)) (h H, err error) {
	mu.Lock()
	h, is := known[client]
	mu.Unlock()
	if is {
		return h, nil
	}
	err = again(ctx, patience, func() (err error) {
		h, err = ask(ctx, bucket(client))
		return err
	})
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return h, fmt.Errorf("there is no client %s: add it to Config.Clients, and call Provision: %w", client, err)
	}
	if err != nil {
		return h, fmt.Errorf("the buckets of client %s: %w", client, err)
	}
	mu.Lock()
	defer mu.Unlock()
	known[client] = h
	return h, nil
}
