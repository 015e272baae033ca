package attacks

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/synchestra-io/sandbox"
)

// Every attack by an input tar uses a name that nobody else has, written TOKEN here.
// It must appear only in the directory of the input, and nowhere else in the container
// or on the host.
var tarAttacks = []Attack{
	tarAttack("absolute", "contains an absolute path", entry{name: "/tmp/TOKEN"}),
	tarAttack("dot-dot", `contains paths with ".."`, entry{name: "../../../../../../tmp/TOKEN"}, entry{name: "a/../../TOKEN"}),
	tarAttack("through-link", "writes through a symbolic link that it contains",
		entry{name: "l", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "l/TOKEN"}),
	tarAttack("link-for-directory", "replaces a directory with a link and writes below it",
		entry{name: "d/", kind: tar.TypeDir}, entry{name: "d", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "d/TOKEN"}),
	tarAttack("link-for-root", "replaces the directory of the input with a link",
		entry{name: ".", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "TOKEN"}),
	tarAttack("over-link", "writes a file over a link to another file",
		entry{name: "l", link: "/tmp/TOKEN", kind: tar.TypeSymlink}, entry{name: "l", kind: tar.TypeReg}),
	tarAttack("hard-link", "contains a hard link to a file outside", entry{name: "TOKEN", link: "/etc/hosts", kind: tar.TypeLink}),
	tarAttack("hard-link-up", `contains a hard link to a file outside, by ".."`, entry{name: "TOKEN", link: "../../../../etc/hosts", kind: tar.TypeLink}),
	tarAttack("hard-link-to-link", "contains a hard link to a symbolic link that leads outside, and writes over it",
		entry{name: "l", link: "/tmp/TOKEN", kind: tar.TypeSymlink}, entry{name: "h", link: "l", kind: tar.TypeLink}, entry{name: "h"}),
	tarAttack("device", "contains devices", entry{name: "TOKEN", kind: tar.TypeBlock}, entry{name: "c", kind: tar.TypeChar}),
	tarAttack("fifo", "contains a fifo", entry{name: "TOKEN", kind: tar.TypeFifo}),
	tarAttack("setuid", "contains a setuid root file", entry{name: "TOKEN", mode: 0o6755}),
	tarAttack("capabilities", "contains a file with capabilities",
		entry{name: "TOKEN", mode: 0o755, pax: map[string]string{"SCHILY.xattr.security.capability": allCapabilities}}),
	tarAttack("pax-path", "hides a path behind a harmless one, in a PAX record",
		entry{name: "x", pax: map[string]string{"path": "../../../../tmp/TOKEN"}}),
	tarAttack("pax-link", "hides a link target behind a harmless one, in a PAX record",
		entry{name: "x", link: "x", kind: tar.TypeLink, pax: map[string]string{"linkpath": "/etc/hosts"}}),
	tarAttack("global-path", "sets the path of all files in a global PAX record",
		entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"path": "../../../../tmp/TOKEN"}}, entry{name: "x"}),
	tarAttack("whiteout", "contains whiteouts, which delete files in image layers", entry{name: ".wh.TOKEN"}, entry{name: ".wh..wh..opq"}),
	damagedTarAttack("truncated", "ends in the middle of a file", func(archive []byte) ([]byte, error) { return archive[:600], nil }),
	damagedTarAttack("lying-size", "claims as much content as the size field can hold", func(archive []byte) ([]byte, error) {
		changed := bytes.Clone(archive)
		copy(changed[124:136], "77777777777\x00")
		copy(changed[148:156], checksum(changed[:512]))
		return changed, nil
	}),
	damagedTarAttack("compressed", "is compressed, so that engines run a program of the image to unpack it (CVE-2026-41567)", func(archive []byte) ([]byte, error) {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		_, err := w.Write(archive)
		err = errors.Join(err, w.Close())
		return compressed.Bytes(), err
	}),
}

// entry is one entry of a tar. The zero kind is a regular file.
type entry struct {
	name, link string
	mode       int64
	kind       byte
	pax        map[string]string
}

func tarAttack(name, tries string, entries ...entry) Attack {
	return Attack{
		Name: name, Tries: tries, Expected: "a refusal, or nothing outside and no privilege", attempt: func(e *attackEnv) []string {
			token := newToken()
			archive, err := archiveOf(token, entries)
			e.abortOn(err)
			return e.findInput(token, archive)
		},
	}
}

// damagedTarAttack is an attack by a tar with changed bytes. The attacker wants the
// sandbox to accept it.
func damagedTarAttack(name, tries string, change func([]byte) ([]byte, error)) Attack {
	return Attack{
		Name: name, Tries: tries, Expected: "a refusal", attempt: func(e *attackEnv) []string {
			token := newToken()
			archive, err := archiveOf(token, []entry{{name: token}})
			e.abortOn(err)
			archive, err = change(archive)
			e.abortOn(err)
			got := e.findInput(token, archive)
			j := e.job("nothing")
			j.InputTar = bytes.NewReader(archive)
			if res, err := e.run(e.ctx, j); err == nil {
				got = append(got, "the sandbox accepted it: "+string(res.Logs))
			}
			return got
		},
	}
}

// archiveOf returns a tar of the entries, with the token in their names.
func archiveOf(token string, entries []entry) ([]byte, error) {
	withToken := func(s string) string { return strings.ReplaceAll(s, "TOKEN", token) }
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, PAXRecords: map[string]string{}}
		for key, value := range e.pax {
			h.PAXRecords[key] = withToken(value)
		}
		if e.kind != tar.TypeXGlobalHeader {
			h.Name, h.Linkname, h.Mode = withToken(e.name), withToken(e.link), max(e.mode, 0o644)
		}
		content := ""
		if e.kind == 0 || e.kind == tar.TypeReg {
			h.Typeflag, content = tar.TypeReg, "content"
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("writing %q: %w", e.name, err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}

// findInput runs a job with the input, and looks for it where it must not be: in the
// container and on this machine.
func (e *attackEnv) findInput(token string, archive []byte) (got []string) {
	j := e.job("find-input", token)
	j.InputTar = bytes.NewReader(archive)
	res, err := e.run(e.ctx, j)
	var refused *sandbox.Error
	switch {
	case err == nil:
		got = e.report(res.Logs)["got"]
	case !errors.As(err, &refused) || refused.Op != sandbox.OpStage:
		e.abort("the error is not a refusal of the input: %v", err)
	}
	e.logf("%v\n%s", err, res.Logs)
	for _, dir := range []string{"/", "/tmp", "/etc", "/workspace", "."} {
		path := filepath.Join(dir, token)
		if _, err := os.Lstat(path); err == nil {
			got = append(got, "on the host: "+path)
		}
	}
	return got
}

// checksum is the checksum field of a tar header.
func checksum(header []byte) string {
	sum := 0
	for i, b := range header {
		if i >= 148 && i < 156 { // the field itself counts as spaces
			b = ' '
		}
		sum += int(b)
	}
	return fmt.Sprintf("%06o\x00 ", sum)
}
