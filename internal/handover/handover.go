// Package handover checks what one command of a run has left for the next: the first is a
// hostile writer, and what it left must not decide where anything of the next is mounted.
package handover

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// Directory is a directory that both commands can write to.
type Directory struct {
	Path  string // in their containers
	Place string // in the staging container, outside of all others
}

// Check is about one run. The staging container never runs a command. It has the
// directories side by side: in a command's own container, a link could mount one over
// the proof.
type Check struct {
	Client  *dockerx.Client
	Staging string // the container
	Claims  claims.Table
	// Collected are directories in which paths are collected. Links of the image's that lead
	// to them are not followed.
	Collected claims.Table
	// Directories must not be inside one of Mounts.
	Directories []Directory
	Mounts      []string // the targets
}

// ImageLinks refuses an image that leads to a claimed directory by a link. Left looks at
// paths by their own names alone, and what a link leads through can be the first command's,
// although the engine, to which the image's own files show, does not say so.
func (c Check) ImageLinks(ctx context.Context) error {
	writable := slices.Clone(c.Mounts)
	for _, d := range c.Directories {
		writable = append(writable, d.Path)
	}
	all := slices.Clone(writable)
	for _, claim := range c.Claims {
		all = append(all, claim.Path)
	}
	places, err := artifacts.Places(ctx, c.Client, c.Staging, writable, all)
	if err != nil {
		return err
	}
	for i, claim := range c.Claims {
		place := places[len(writable)+i]
		inside := slices.ContainsFunc(places[:len(writable)], func(dir string) bool { return place != dir && validate.Within(place, dir) })
		// An image may have a link for a file of the engine's, such as /etc/resolv.conf.
		if place != claim.Path && (!claim.File || inside) {
			return fmt.Errorf("%s %q: %w together with Setup: by a link of the image's it is at %q; use a path without links",
				claim.By, claim.Path, dockerx.ErrUnsupported, place)
		}
	}
	return nil
}

// Name is a path on, or on the way to, a claimed one.
type Name struct {
	path  string // in the commands' containers
	place string // in the staging container
	check func(kind byte) error
	mount bool // the engine made a file there if the mount is one
}

// String is the path.
func (n Name) String() string { return n.path }

// Names lists what the first command can have put something at, with every directory
// before what is in it.
func (c Check) Names() (list []Name) {
	for _, d := range c.Directories {
		names := slices.Concat(c.Claims, c.Collected).Below(d.Path)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			at := path.Join(d.Path, name)
			elsewhere := slices.ContainsFunc(c.Directories, func(in Directory) bool {
				return len(in.Path) > len(d.Path) && at != in.Path && validate.Within(at, in.Path)
			}) || slices.ContainsFunc(c.Mounts, func(m string) bool { return at != m && validate.Within(at, m) })
			if !elsewhere {
				list = append(list, Name{
					path: at, place: path.Join(d.Place, name), mount: slices.Contains(c.Mounts, at),
					check: func(kind byte) error { return names.Check(name, kind) },
				})
			}
		}
	}
	return list
}

// Left refuses what was left at the names. What is absent the engine will make.
func (c Check) Left(ctx context.Context, names []Name) error {
	absent := map[string]bool{}
	for _, n := range names {
		if absent[path.Dir(n.place)] || len(path.Base(n.place)) > archive.MaxName {
			absent[n.place] = true
			continue
		}
		info, err := c.Client.Stat(ctx, c.Staging, n.place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			absent[n.place] = true
		case err != nil:
			return err
		case n.mount && info.Mode.IsRegular():
		default:
			if err := n.check(kindOf(info.Mode)); err != nil {
				return fmt.Errorf("%q %w", n.path, err)
			}
		}
	}
	return nil
}

// WorkDir refuses what leads to a working directory inside a mount, in the container of the
// next command, which has not started. The first can have written to what the mount shows,
// there or by another mount of the same.
func (c Check) WorkDir(ctx context.Context, container, dir string) error {
	var table claims.Table
	table.Directory(dir, "the working directory")
	for _, m := range c.Mounts {
		names := table.Below(m)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			at := path.Join(m, name)
			info, err := c.Client.Stat(ctx, container, at)
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err == nil {
				err = names.Check(name, kindOf(info.Mode))
			}
			if err != nil {
				return fmt.Errorf("%q %w", at, err)
			}
		}
	}
	return nil
}

// kindOf is the type of a file, as package tar has it.
func kindOf(mode fs.FileMode) byte {
	switch mode.Type() {
	case 0:
		return tar.TypeReg
	case fs.ModeDir:
		return tar.TypeDir
	case fs.ModeSymlink:
		return tar.TypeSymlink
	}
	return tar.TypeFifo // or another special one
}
