package sandbox

import (
	"context"

	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// collect copies the artifacts out of the container, which has stopped. An end of
// ctx leaves nothing, and so does somebody who starts the container again, whose
// artifacts would be those of a command under way.
func (r *run) collect(ctx context.Context, p plan, dirs []directory, exit dockerx.Exit) (map[string][]byte, map[string]error, error) {
	if len(p.collect) == 0 {
		return nil, nil, nil
	}
	want := artifacts.Request{Paths: p.collect, Bytes: p.limits.ArtifactBytes}
	for _, d := range dirs {
		want.Own = append(want.Own, d.path)
	}
	files, missed, err := artifacts.Collect(ctx, r.engine, r.name, want)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		return files, missed, err
	}
	if err := r.engine.Unchanged(ctx, r.name, exit); err != nil {
		return nil, nil, err
	}
	return files, missed, nil
}
