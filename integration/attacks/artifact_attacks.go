package attacks

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

var artifactAttacks = []Attack{
	collectAttack{mode: "leave-links", paths: []string{"/tmp/out", "/tmp/out/passwd", "/tmp/out/hosts", "/tmp/out/up", "/tmp/out/environ",
		"/tmp/out/root", "/tmp/out/self", "/tmp/out/slash", "/tmp/out/zero", "/tmp/out/kcore"}}.
		attack("links", "leaves links to files of the host, in many ways, and hard links", "no content is collected"),
	collectAttack{mode: "leave-links", paths: []string{"/tmp/parent/hosts", "/tmp/parent/passwd", "/tmp/out/etc/hosts", "/tmp/out/slash/etc/hosts"}}.
		attack("parent-link", "puts a link to /etc in the path of an artifact", "no content is collected"),
	collectAttack{mode: "swap", timeout: time.Second, paths: []string{"/tmp/out", "/tmp/out/hosts"}, own: []string{"/tmp/out/hosts"}}.
		attack("swapped-directory", "swaps a directory with a link to /etc until it is killed", "the content of the directory, or none"),
	collectAttack{mode: "leave-specials", paths: []string{"/tmp/out", "/tmp/out/fifo", "/tmp/out/node", "/tmp/out/socket"}, own: []string{"/tmp/out/kept"}}.
		attack("special-files", "leaves a fifo, a socket and a device", "only the regular file is collected"),
	collectAttack{mode: "nothing", paths: []string{"/dev/zero", "/dev/urandom", "/dev/stdin", "/proc/kcore", "/proc/1/environ", "/proc/self/mem", "/sys/kernel"}}.
		attack("endless-files", "has endless devices and files of /proc collected", "a refusal, or no content"),
	collectAttack{mode: "leave-sparse", paths: []string{"/tmp/out", "/tmp/out/sparse"}}.
		attack("sparse-file", "leaves a file of 64 GiB that takes no space", "no content is collected"),
	{
		Name:     "names",
		Tries:    `uses line breaks, escape sequences, invalid UTF-8 and the like of ".." in file names`,
		Expected: "every path is clean and below the directory",
		attempt: func(e *attackEnv) (got []string) {
			j := e.job("leave-names")
			j.Collect = []string{"/tmp/out"}
			res := e.result(j)
			e.partialReport(res.Logs)
			if len(res.Artifacts) < 5 {
				e.abort("too little was collected: %q", res.Artifacts)
			}
			for name := range res.Artifacts {
				if path.Clean(name) != name || !strings.HasPrefix(name, "/tmp/out/") {
					got = append(got, fmt.Sprintf("the path %q", name))
				}
			}
			return got
		},
	},
}

// collectAttack is an attack by the files that a mode of the probe leaves. The
// attacker wants content of others to be collected: that is every content but "kept",
// and every content at a path that is not its own.
type collectAttack struct {
	mode    string
	timeout time.Duration // for a mode that does not end; 0 = the usual one
	paths   []string      // to collect
	own     []string
}

func (c collectAttack) attack(name, tries, expected string) Attack {
	return Attack{Name: name, Tries: tries, Expected: expected, attempt: c.attempt, change: func(l *sandbox.Limits) {
		l.ArtifactBytes = 8 << 20
		if c.timeout != 0 {
			l.Timeout = c.timeout
		}
	}}
}

func (c collectAttack) attempt(e *attackEnv) (got []string) {
	j := e.job(c.mode)
	j.Collect = c.paths
	res, err := e.run(e.ctx, j)
	var refused *sandbox.Error
	if errors.As(err, &refused) && refused.Op == sandbox.OpValidate {
		e.logf("refused: %v", err)
		return nil
	}
	e.abortOn(err)
	e.partialReport(res.Logs)
	e.logf("%d artifacts, uncollected: %v", len(res.Artifacts), res.Uncollected)
	for path, content := range res.Artifacts {
		if !slices.Contains(c.own, path) || string(content) != "kept" {
			got = append(got, fmt.Sprintf("%s, with %.60q", path, content))
		}
	}
	if len(res.Artifacts)+len(res.Uncollected) == 0 {
		got = append(got, fmt.Sprintf("the result does not mention %q", c.paths))
	}
	return got
}
