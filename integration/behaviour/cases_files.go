package behaviour

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// withInput is a script that starts beside its input.
func (t trial) withInput(script string, files ...tarball.File) sandbox.Job {
	j := t.shell(script)
	j.InputTar, j.WorkDir = bytes.NewReader(tarball.Of(files...)), sandbox.DefaultInputDir
	return j
}

var inputCases = []Case{{
	Name:    "input/git-archive",
	Promise: "The output of git archive can be used as it is.",
	check: func(t trial) error {
		return t.prints(t.withInput("./run.sh; cat docs/notes; ls -A",
			tarball.File{Kind: tar.TypeXGlobalHeader, PAX: map[string]string{"comment": strings.Repeat("0123456789", 4)}},
			tarball.File{Name: "docs/", Mode: 0o775}, tarball.File{Name: "docs/notes", Body: "first\n", Mode: 0o664},
			tarball.File{Name: "run.sh", Body: "#!/bin/sh\necho ran\n", Mode: 0o775},
		), "ran\nfirst\ndocs\nrun.sh\n")
	},
}, {
	Name:    "input/writable",
	Promise: "All of the input belongs to the command and is writable, whatever the archive says.",
	check: func(t trial) error {
		return t.prints(t.withInput("echo more >>closed/file; touch new closed/new; cat closed/file; stat -c '%u:%g %a' closed closed/file setuid",
			tarball.File{Name: "./", Mode: 0o500}, tarball.File{Name: "closed/", Mode: 0o500},
			tarball.File{Name: "closed/file", Body: "one\n", Mode: 0o400}, tarball.File{Name: "setuid", Mode: 0o4755},
		), "one\nmore\n65532:65532 700\n65532:65532 600\n65532:65532 755\n")
	},
}, {
	Name:    "input/links",
	Promise: "Symbolic links stay as they are, and hard links are kept.",
	check: func(t trial) error {
		return t.prints(t.withInput("readlink soft; echo more >>hard; cat file",
			tarball.File{Name: "file", Body: "one\n"}, tarball.File{Name: "hard", Kind: tar.TypeLink, Link: "file"},
			tarball.File{Name: "soft", Kind: tar.TypeSymlink, Link: "../../no/such/file"},
		), "../../no/such/file\none\nmore\n")
	},
}, {
	Name:    "input/directory",
	Promise: "The input is unpacked into InputDir.",
	check: func(t trial) error {
		j := t.withInput("pwd; cat a/file", tarball.File{Name: "a/file", Body: "content\n"})
		j.InputDir, j.WorkDir = "/srv/a/b", "/srv/a/b"
		return t.prints(j, "/srv/a/b\ncontent\n")
	},
}, {
	Name:    "input/refused",
	Promise: "A hostile or damaged archive is an error, and nothing runs.",
	check: func(t trial) error {
		whole := tarball.Of(tarball.File{Name: "file", Body: strings.Repeat("x", 5000)})
		var errs []error
		for _, archive := range [][]byte{
			tarball.Of(tarball.File{Name: "ok"}, tarball.File{Name: "/etc/x"}),
			tarball.Of(tarball.File{Name: "../x"}),
			tarball.Of(tarball.File{Name: "l", Kind: tar.TypeSymlink, Link: "/etc"}, tarball.File{Name: "l/x"}),
			tarball.Of(tarball.File{Name: "d", Kind: tar.TypeChar}),
			whole[:3000], whole[:len(whole)-1024], []byte(strings.Repeat("text ", 1000)), nil,
		} {
			j := t.shell("echo ran")
			j.InputTar = bytes.NewReader(archive)
			res, err := t.do(j)
			errs = append(errs, step(err, sandbox.OpStage), equal("exit status", res.ExitCode, -1), equal("output", string(res.Logs), ""))
		}
		return errors.Join(errs...)
	},
}}

// collect runs a script in /workspace and collects paths below it.
func (t trial) collect(edit func(*sandbox.Job), script string, paths ...string) (sandbox.Result, error) {
	j := t.shell(script)
	j.WorkDir = "/workspace"
	for _, path := range paths {
		j.Collect = append(j.Collect, strings.TrimSuffix("/workspace/"+path, "/"))
	}
	if edit != nil {
		edit(&j)
	}
	return t.do(j)
}

var artifactCases = []Case{{
	Name:    "artifacts/file",
	Promise: "A file comes out under its path, also after a command that failed.",
	check: func(t trial) error {
		res, err := t.collect(nil, "echo 42 >answer; exit 3", "answer")
		return errors.Join(noError(err), equal("exit status", res.ExitCode, 3),
			equal("Artifacts", texts(res), map[string]string{"/workspace/answer": "42\n"}), equal("Uncollected", len(res.Uncollected), 0))
	},
}, {
	Name:    "artifacts/directory",
	Promise: "A directory stands for all regular files below it, whatever their permissions.",
	check: func(t trial) error {
		res, err := t.collect(nil, "mkdir -p out/logs; echo 1 >out/result; : >out/empty; echo 2 >out/logs/first; chmod 0 out/logs/first out/logs", "out")
		return errors.Join(noError(err), equal("Uncollected", len(res.Uncollected), 0), equal("Artifacts", texts(res), map[string]string{
			"/workspace/out/result": "1\n", "/workspace/out/empty": "", "/workspace/out/logs/first": "2\n",
		}))
	},
}, {
	Name:    "artifacts/missing",
	Promise: "A path that is not there is no error: Uncollected says so.",
	check: func(t trial) error {
		res, err := t.collect(nil, "echo kept >file", "file", "no/such/file")
		return errors.Join(noError(err), equal("Artifacts", texts(res), map[string]string{"/workspace/file": "kept\n"}),
			wraps("Uncollected", res.Uncollected["/workspace/no/such/file"], fs.ErrNotExist))
	},
}, {
	Name:    "artifacts/link",
	Promise: "Links are not followed, and nothing but regular files is read.",
	check: func(t trial) error {
		res, err := t.collect(nil, "ln -s /etc/hosts link; ln -s /etc directory; mkfifo fifo; mkdir d; ln -s /etc/hosts d/link",
			"link", "directory/hosts", "fifo", "d")
		errs := []error{noError(err), equal("Artifacts", texts(res), map[string]string{})}
		for _, path := range []string{"link", "directory/hosts", "fifo", "d/link"} {
			// Where an engine looks for a link's target in the directory, there is none.
			if err := res.Uncollected["/workspace/"+path]; !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, wraps("Uncollected "+path, err, sandbox.ErrNotRegular))
			}
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "artifacts/too-large",
	Promise: "What does not fit into Limits.ArtifactBytes is named, and what fits still comes.",
	check: func(t trial) error {
		res, err := t.collect(func(j *sandbox.Job) { j.Limits.ArtifactBytes = 1000 },
			"head -c 600 /dev/zero >a; head -c 600 /dev/zero >b; head -c 400 /dev/zero >c; truncate -s 20G sparse", "a", "b", "c", "sparse")
		_, a := res.Artifacts["/workspace/a"]
		_, c := res.Artifacts["/workspace/c"]
		return errors.Join(noError(err), equal("number of artifacts", len(res.Artifacts), 2), equal("a and c among them", a && c, true),
			wraps("Uncollected b", res.Uncollected["/workspace/b"], sandbox.ErrTooLarge),
			wraps("Uncollected sparse", res.Uncollected["/workspace/sparse"], sandbox.ErrTooLarge))
	},
}, {
	Name:    "artifacts/none",
	Promise: "Artifacts and Uncollected are nil when there are none.",
	check: func(t trial) error {
		res, err := t.collect(nil, "mkdir empty", "")
		plain, plainErr := t.do(t.shell("true"))
		return errors.Join(noError(err), noError(plainErr), equal("ran", plain.ImageID != "", true),
			equal("nil", res.Artifacts == nil && res.Uncollected == nil && plain.Artifacts == nil && plain.Uncollected == nil, true))
	},
}}
