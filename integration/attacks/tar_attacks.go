package attacks

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/synchestra-io/sandbox"
)

// A tar's attack is made with a name that nobody else has, written TOKEN here. It
// must not be anywhere but in the input's directory, neither in the container nor
// on the host.
var tarAttacks = []Attack{
	hostile("absolute", "names a file absolutely", entry{name: "/tmp/TOKEN"}),
	hostile("dot-dot", "names a file by \"..\"", entry{name: "../../../../../../tmp/TOKEN"}, entry{name: "a/../../TOKEN"}),
	hostile("through-link", "writes through a link that it brings", entry{name: "l", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "l/TOKEN"}),
	hostile("link-for-directory", "puts a link in the place of a directory and writes below it",
		entry{name: "d/", kind: tar.TypeDir}, entry{name: "d", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "d/TOKEN"}),
	hostile("link-for-root", "puts a link in the place of the input's directory", entry{name: ".", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "TOKEN"}),
	hostile("over-link", "writes a file over a link to another", entry{name: "l", link: "/tmp/TOKEN", kind: tar.TypeSymlink}, entry{name: "l", kind: tar.TypeReg}),
	hostile("hard-link", "links hard to a file outside", entry{name: "TOKEN", link: "/etc/hosts", kind: tar.TypeLink}),
	hostile("hard-link-up", "links hard to a file outside by \"..\"", entry{name: "TOKEN", link: "../../../../etc/hosts", kind: tar.TypeLink}),
	hostile("hard-link-to-link", "links hard to a link that leads outside, and writes over it",
		entry{name: "l", link: "/tmp/TOKEN", kind: tar.TypeSymlink}, entry{name: "h", link: "l", kind: tar.TypeLink}, entry{name: "h"}),
	hostile("device", "brings a device", entry{name: "TOKEN", kind: tar.TypeBlock}, entry{name: "c", kind: tar.TypeChar}),
	hostile("fifo", "brings a fifo", entry{name: "TOKEN", kind: tar.TypeFifo}),
	hostile("setuid", "brings a setuid file of root's", entry{name: "TOKEN", mode: 0o6755}),
	hostile("capabilities", "brings a file with capabilities", entry{name: "TOKEN", mode: 0o755, pax: map[string]string{"SCHILY.xattr.security.capability": allCapabilities}}),
	hostile("pax-path", "has a harmless name and another one in a pax record", entry{name: "x", pax: map[string]string{"path": "../../../../tmp/TOKEN"}}),
	hostile("pax-link", "has a harmless link and another one in a pax record", entry{name: "x", link: "x", kind: tar.TypeLink, pax: map[string]string{"linkpath": "/etc/hosts"}}),
	hostile("global-path", "names all files in a global pax record", entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"path": "../../../../tmp/TOKEN"}}, entry{name: "x"}),
	hostile("whiteout", "brings whiteouts, which layers of images are changed by", entry{name: ".wh.TOKEN"}, entry{name: ".wh..wh..opq"}),
	altered("truncated", "ends in the middle of a file", func(archive []byte) []byte { return archive[:600] }),
	altered("lying-size", "claims more content than there is, as much as fits into the field", func(archive []byte) []byte {
		header := bytes.Clone(archive)
		copy(header[124:136], "77777777777\x00")
		copy(header[148:156], checksum(header[:512]))
		return header
	}),
	altered("compressed", "is compressed, which engines unpack with a program of the image (CVE-2026-41567)", func(archive []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write(archive)
		w.Close()
		return out.Bytes()
	}),
}

type entry struct {
	name, link string
	mode       int64
	kind       byte
	pax        map[string]string
}

// archiveOf is a tar of the entries with a token in their names.
func archiveOf(a *attackEnv, token string, entries []entry) []byte {
	a.t.Helper()
	named := func(s string) string { return strings.ReplaceAll(s, "TOKEN", token) }
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		records := map[string]string{}
		for key, value := range e.pax {
			records[key] = named(value)
		}
		h := &tar.Header{Typeflag: e.kind, PAXRecords: records}
		if e.kind != tar.TypeXGlobalHeader {
			h.Name, h.Linkname, h.Mode = named(e.name), named(e.link), max(e.mode, 0o644)
		}
		content := ""
		if e.kind == 0 || e.kind == tar.TypeReg {
			h.Typeflag, content = tar.TypeReg, "content"
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			a.t.Fatalf("writing %q: %v", e.name, err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			a.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		a.t.Fatal(err)
	}
	return archive.Bytes()
}

func hostile(name, tries string, entries ...entry) Attack {
	return Attack{
		Name: name, Tries: tries, Seen: "a refusal, or nothing outside and no privilege", try: func(a *attackEnv) []string {
			token := newToken()
			return landing(a, token, archiveOf(a, token, entries))
		},
	}
}

// altered is an attack by a tar whose bytes are changed; that it is taken for a
// good one is what the attacker wants.
func altered(name, tries string, change func([]byte) []byte) Attack {
	return Attack{
		Name: name, Tries: tries, Seen: "a refusal", try: func(a *attackEnv) []string {
			token := newToken()
			archive := change(archiveOf(a, token, []entry{{name: token}}))
			won := landing(a, token, archive)
			j := a.job("nothing")
			j.InputTar = bytes.NewReader(archive)
			if res, err := a.run(a.ctx, j); err == nil {
				won = append(won, "it was taken for good: "+string(res.Logs))
			}
			return won
		},
	}
}

// landing runs a job with the input, which looks for what came of it.
func landing(a *attackEnv, token string, archive []byte) (won []string) {
	a.t.Helper()
	j := a.job("landed", token)
	j.InputTar = bytes.NewReader(archive)
	res, err := a.run(a.ctx, j)
	var refused *sandbox.Error
	switch {
	case err == nil:
		won = a.parse(string(res.Logs), true)["got"]
	case !errors.As(err, &refused) || refused.Op != sandbox.OpStage:
		a.t.Fatalf("no refusal of the input: %v", err)
	}
	a.t.Logf("%v\n%s", err, res.Logs)
	for _, dir := range []string{"/", "/tmp", "/etc", "/workspace", "."} {
		if path := filepath.Join(dir, token); exists(path) {
			won = append(won, "on the host: "+path)
		}
	}
	return won
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// checksum is that of a tar's header.
func checksum(header []byte) string {
	sum := 0
	for i, b := range header {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int(b)
	}
	digits := []byte("000000\x00 ")
	for i := 5; i >= 0; i-- {
		digits[i] = byte('0' + sum&7)
		sum >>= 3
	}
	return string(digits)
}
