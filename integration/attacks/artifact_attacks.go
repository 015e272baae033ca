package attacks

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

var artifactAttacks = []Attack{
	collecting("links", "leaves links to files of the host, by many ways, and hard links", "no content comes", nil,
		"lay-links", "/tmp/out", "/tmp/out/passwd", "/tmp/out/hosts", "/tmp/out/up", "/tmp/out/environ", "/tmp/out/root", "/tmp/out/self", "/tmp/out/slash",
		"/tmp/out/zero", "/tmp/out/kcore"),
	collecting("parent-link", "has a link to /etc as the directory of an artifact", "no content comes", nil,
		"lay-links", "/tmp/parent/hosts", "/tmp/parent/passwd", "/tmp/out/etc/hosts", "/tmp/out/slash/etc/hosts"),
	collecting("swapped-directory", "swaps a directory for a link to /etc until it is killed", "the directory's content, or none", []string{"/tmp/out/hosts"},
		"swap", "/tmp/out", "/tmp/out/hosts"),
	collecting("special-files", "leaves a fifo, a socket and a device", "the regular file alone", []string{"/tmp/out/kept"},
		"lay-specials", "/tmp/out", "/tmp/out/fifo", "/tmp/out/node", "/tmp/out/socket"),
	collecting("endless-files", "has endless devices and /proc collected", "a refusal, or no content", nil,
		"nothing", "/dev/zero", "/dev/urandom", "/dev/stdin", "/proc/kcore", "/proc/1/environ", "/proc/self/mem", "/sys/kernel"),
	collecting("sparse-file", "leaves a file of 64 GiB that takes no space", "no content comes", nil,
		"lay-sparse", "/tmp/out", "/tmp/out/sparse"),
	{
		Name: "names", Tries: "names files with line ends, escapes, bytes that are no text, and the like of \"..\"",
		Seen: "every path is clean and below the directory",
		try: func(a *attackEnv) (won []string) {
			j := a.job("lay-names")
			j.Collect = []string{"/tmp/out"}
			res := a.do(j)
			a.parse(string(res.Logs), false)
			if len(res.Artifacts) < 5 {
				a.t.Fatalf("too little was collected: %q", res.Artifacts)
			}
			for name := range res.Artifacts {
				if path.Clean(name) != name || !strings.HasPrefix(name, "/tmp/out/") {
					won = append(won, fmt.Sprintf("the path %q", name))
				}
			}
			return won
		},
	},
}

// collecting is an attack by what mode leaves in the paths: content other than
// "kept", or at other paths than those, must not come.
func collecting(name, tries, seen string, kept []string, mode string, paths ...string) Attack {
	return Attack{Name: name, Tries: tries, Seen: seen, try: func(a *attackEnv) (won []string) {
		j := a.job(mode)
		j.Collect = paths
		j.Limits.ArtifactBytes = 8 << 20
		if mode == "swap" {
			j.Limits.Timeout = time.Second
		}
		res, err := a.run(a.ctx, j)
		var refused *sandbox.Error
		if errors.As(err, &refused) && refused.Op == sandbox.OpValidate {
			a.t.Log(err)
			return nil
		}
		if err != nil {
			a.t.Fatal(err)
		}
		a.parse(string(res.Logs), false)
		allowed := map[string]bool{}
		for _, path := range kept {
			allowed[path] = true
		}
		for path, content := range res.Artifacts {
			if !allowed[path] || string(content) != "kept" {
				won = append(won, fmt.Sprintf("%s, with %.60q", path, content))
			}
		}
		a.t.Logf("%d artifacts, uncollected: %v", len(res.Artifacts), res.Uncollected)
		return append(won, unexplained(res, paths)...)
	}}
}

// unexplained makes sure that collecting did take place.
func unexplained(res sandbox.Result, paths []string) (won []string) {
	if len(res.Artifacts)+len(res.Uncollected) == 0 {
		won = append(won, fmt.Sprintf("no word of %q", paths))
	}
	return won
}
