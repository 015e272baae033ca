package artifacts

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestSiblings(t *testing.T) {
	require.Equal(t, []string{"/a/x", "/a/y"}, siblings([]string{"/a/x", "/a/y", "/b/x", "/a/z"}))
	require.Equal(t, []string{"/a"}, siblings([]string{"/a", "/a/x"}))
}

// What one request brings is what is wanted, as far as it comes before too much else.
func TestSift(t *testing.T) {
	const budget = 10
	file := func(name, body string) tarball.File { return tarball.File{Name: "out/" + name, Body: body} }
	top := tarball.File{Name: "out/"}
	crowd := []tarball.File{top}
	for i := range maxStrangers {
		crowd = append(crowd, file(fmt.Sprint(i), ""))
	}
	for name, c := range map[string]struct {
		files []tarball.File
		want  map[string]string
	}{
		"all":              {[]tarball.File{top, file("a", "1"), file("c", "3"), file("b", "")}, map[string]string{"a": "1", "b": ""}},
		"no other names":   {[]tarball.File{top, file("dir/a", "1"), file("b", "2")}, map[string]string{"b": "2"}},
		"no links":         {[]tarball.File{top, {Name: "out/a", Kind: tar.TypeSymlink, Link: "b"}, file("b", "2")}, map[string]string{"b": "2"}},
		"no second names":  {[]tarball.File{top, file("c", "3"), {Name: "out/a", Kind: tar.TypeLink, Link: "out/c"}, file("b", "2")}, map[string]string{"b": "2"}},
		"no directories":   {[]tarball.File{top, {Name: "out/a/"}, file("b", "2")}, map[string]string{"b": "2"}},
		"over the budget":  {[]tarball.File{top, file("a", "12345"), file("b", "123456")}, nil},
		"strangers' bytes": {[]tarball.File{top, file("a", "1"), file("c", strings.Repeat("x", maxStrangerBytes+1)), file("b", "2")}, map[string]string{"a": "1"}},
		"strangers":        {append(crowd, file("a", "1")), map[string]string{}},
		"from outside":     {[]tarball.File{top, file("a", "1"), {Name: "other/b", Body: "2"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			reader := &collector{left: budget}
			wanted := map[string]bool{"/work/out/a": true, "/work/out/b": true}
			found := reader.sift("/work/out", wanted, archive.NewReader(bytes.NewReader(tarball.Of(c.files...))))
			require.Len(t, found, len(c.want))
			for name, body := range c.want {
				require.Equal(t, body, string(found["/work/out/"+name]))
			}
		})
	}
}

// A stranger's content is not waited for if it is too long.
func TestSiftStopsAtAHeader(t *testing.T) {
	reader := &collector{left: 10}
	endless := io.MultiReader(claiming(t, 1<<40, strings.NewReader("")), zeros{})
	require.Empty(t, reader.sift("/work/out", map[string]bool{"/work/out/a": true}, archive.NewReader(endless)))
}

// What has come in one request is charged when it is asked for, once.
func TestReadyIsChargedOnce(t *testing.T) {
	c := &collector{left: 10, names: minNames, ready: map[string][]byte{"/out/a": []byte("123")}}
	for range 2 {
		require.NoError(t, c.path(t.Context(), "/out/a"))
		require.EqualValues(t, 7, c.left)
	}
	require.Equal(t, "123", string(c.files["/out/a"]))
}
