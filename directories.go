package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/validate"
	"github.com/synchestra-io/sandbox/isolation"
)

// directory is a writable directory of a run. It is tmpfs unless something must
// cross it: input on its way in, artifacts on their way out, files from Setup to Cmd.
type directory struct {
	path   string
	volume bool
	place  string // where it is filled, below the staged tree
}

// homes are the candidates for HOME, in order of preference.
var homes = []string{"/tmp", "/workspace", "/home/sandbox"}

// home is a writable directory that is not inside InputDir, or "" if mounts
// leave none.
func (p plan) home() string {
	for _, h := range homes {
		if !validate.Within(h, p.inputDir) && !p.mounted(h) {
			return h
		}
	}
	return ""
}

func (p plan) mounted(path string) bool {
	return slices.ContainsFunc(p.mounts, func(m Mount) bool { return validate.Within(path, m.Target) })
}

// directories lists the run's writable directories in the order of their paths.
// An image's VOLUMEs are among them: uncovered, the engine would make unlimited
// volumes of them. It is an error if the plan does not go with the image.
func (p plan) directories(image dockerx.Image) ([]directory, error) {
	paths := []string{DefaultInputDir, "/tmp", p.inputDir}
	if h := p.home(); h != "" {
		paths = append(paths, h)
	}
	var bad validate.FieldErrors
	p.checkArguments(&bad, image)
	for _, v := range image.Volumes {
		i := slices.IndexFunc(p.mounts, func(m Mount) bool { return validate.Within(v, m.Target) && v != m.Target })
		switch {
		case i >= 0:
			bad.Add("Mounts[%d].Target %q contains the image's VOLUME %q; choose another target", i, p.mounts[i].Target, v)
		case bad.Path("the image's VOLUME", v) != "":
			paths = append(paths, v)
		}
	}
	if len(bad) > 0 {
		return nil, bad[0]
	}
	if p.limits.DiskMB > 0 {
		paths = append(paths, "/dev/shm")
	}
	slices.Sort(paths)
	var dirs []directory
	for _, path := range slices.Compact(paths) {
		if !p.mounted(path) {
			dirs = append(dirs, directory{path: path, volume: p.needsVolume(path), place: strconv.Itoa(len(dirs))})
		}
	}
	return dirs, nil
}

func paths(dirs []directory) (list []string) {
	for _, d := range dirs {
		list = append(list, d.path)
	}
	return list
}

func volumes(dirs []directory) (list []string) {
	for _, d := range dirs {
		if d.volume {
			list = append(list, d.path)
		}
	}
	return list
}

// needsVolume tells whether something must cross a directory: input, artifacts, or what
// Setup leaves there.
func (p plan) needsVolume(dir string) bool {
	if p.limits.DiskMB > 0 || p.hasSetup() || p.input != nil && validate.Within(dir, p.inputDir) {
		return true
	}
	return slices.ContainsFunc(p.collect, func(c string) bool { return validate.Overlap(c, dir) })
}

// unlimitedTmpfs is the size of a tmpfs when the job's memory has no cap.
const unlimitedTmpfs = 2 << 30

// tmpfsOptions gives a tmpfs half of the memory cap, so that a job which fills
// one sees ENOSPC before the kernel kills it, and an inode for every 8 KiB.
func (l Limits) tmpfsOptions() string {
	size := int64(unlimitedTmpfs)
	if l.MemoryMB > 0 {
		size = l.MemoryMB << 20 / 2
	}
	return fmt.Sprintf("exec,mode=0755,size=%d,nr_inodes=%d", size, inodes(size))
}

// inodes is how many inodes go with a tmpfs of size bytes.
func inodes(size int64) int64 { return max(size>>13, 1024) }

// fileBytes is a little more than the disk's size, so that a command that fills the
// disk gets ENOSPC. Only a file that could never fit, such as a sparse one, gets
// SIGXFSZ.
func (l Limits) fileBytes() int64 {
	if l.DiskMB == 0 {
		return 0
	}
	return (l.DiskMB + 1) << 20
}

// nanoCPUs clamps the quota to the CPUs that the engine has: more is no limit,
// and the engine would refuse it.
func (l Limits) nanoCPUs(have int) int64 {
	cpus := l.CPUs
	if have > 0 {
		cpus = min(cpus, float64(have))
	}
	return int64(math.Round(cpus * 1e9))
}

// preset is the job's hardening: the fixed preset with the limits, and the
// directories and mounts of this run. staged has the mounts of the directories
// that are volumes.
func (p plan) preset(dirs []directory, staged map[string]mount.Mount, engine dockerx.Engine, runtime string) isolation.Preset {
	preset := engine.Preset()
	preset.NanoCPUs = p.limits.nanoCPUs(engine.CPUs)
	preset.MemoryBytes = p.limits.MemoryMB << 20
	preset.PidsLimit = p.limits.PIDs
	preset.NetworkMode = p.network
	preset.Tmpfs = map[string]string{}
	preset.Runtime = runtime
	preset.FileBytes = p.limits.fileBytes()
	for _, d := range dirs {
		if d.volume {
			preset.Mounts = append(preset.Mounts, staged[d.path])
		} else {
			preset.Tmpfs[d.path] = p.limits.tmpfsOptions()
		}
	}
	for _, m := range p.mounts {
		preset.Mounts = append(preset.Mounts, isolation.Bind(m.Source, m.Target, m.ReadOnly))
	}
	return preset
}

// shadowVolumes keeps the image's VOLUMEs from being copied for a container that runs
// nothing of the image.
func shadowVolumes(image dockerx.Image) map[string]string {
	tmpfs := map[string]string{}
	for _, v := range image.Volumes {
		tmpfs[v] = ""
	}
	return tmpfs
}

// tree returns what writes one tar with everything that the volumes hold, each at its place
// below the directory root. First come their own roots, so that these belong to the user of
// the job, and so that no name of the caller's stands at the front, where engines look for
// signs of compression.
func (p plan) tree(root string, image dockerx.Image, dirs []directory, podman bool) func(io.Writer) error {
	claimed := p.claims(image, dirs, podman).Below(p.inputDir)
	return func(w io.Writer) error { return p.writeTree(w, root, dirs, claimed) }
}

func (p plan) writeTree(w io.Writer, root string, dirs []directory, claimed claims.Names) error {
	buffer := bufio.NewWriterSize(w, 64<<10)
	place := func(d directory) string { return path.Join(root, d.place) }
	var input directory // none if a mount is there
	if i := slices.IndexFunc(dirs, func(d directory) bool { return d.path == p.inputDir }); i >= 0 {
		input = dirs[i]
	}
	tree := archive.NewRewriter(buffer, place(input), claimed)
	for _, d := range dirs {
		if !d.volume {
			continue
		}
		write := tree.Root
		if inside, ok := strings.CutPrefix(d.path, p.inputDir+"/"); ok && input.volume {
			write = func(place string) error { return tree.Mount(inside, place) }
		}
		if err := write(place(d)); err != nil {
			return err
		}
	}
	if p.input != nil {
		if err := tree.Copy(p.input); err != nil {
			return fmt.Errorf("InputTar: %w", err)
		}
	}
	if err := tree.Close(); err != nil {
		return err
	}
	return buffer.Flush()
}
