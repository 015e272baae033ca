package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
)

// inDockersWords puts what Podman says of a container into the words that Docker has for
// the same, as far as it is what was sent. What is something else stays as it is, and so
// differs. Measured on Podman 5.8.6; libpod's container_inspect.go has the words.
func inDockersWords(sent Sent, got container.InspectResponse) container.InspectResponse {
	base, host, config := *got.ContainerJSONBase, *got.HostConfig, *got.Config
	podmanHost(sent, &host)
	podmanMounts(sent.Host.Mounts, &host, &got)
	podmanNetwork(sent.Host.NetworkMode, &host, &got)

	// Whether it attaches is decided by the client that does.
	config.AttachStdin, config.AttachStdout, config.AttachStderr = sent.Config.AttachStdin, sent.Config.AttachStdout, sent.Config.AttachStderr
	config.StdinOnce = sent.Config.StdinOnce
	config.Image = sent.Config.Image // a name; the ID is compared by itself
	config.Env = slices.DeleteFunc(slices.Clone(config.Env), podmanVariable(sent, config.Hostname))
	if config.Volumes == nil { // it never says; Mounts has those that there are
		config.Volumes = map[string]struct{}{}
		maps.Copy(config.Volumes, sent.Config.Volumes)
		if sent.Image != nil {
			for _, v := range sent.Image.Volumes {
				config.Volumes[v] = struct{}{}
			}
		}
	}
	config.StopTimeout = sent.Config.StopTimeout // a job is killed, never stopped
	if base.Path == podmanInit && len(base.Args) > 1 && base.Args[0] == "--" {
		base.Path, base.Args = base.Args[1], base.Args[2:]
	}
	base.HostConfig = &host
	got.ContainerJSONBase, got.Config = &base, &config
	return got
}

// podmanInit is where Podman has its init in every container.
const podmanInit = "/run/podman-init"

// podmanCaps are the capabilities of Podman's default. It reports those of the default
// that were dropped, and those that were added to it.
var podmanCaps = []string{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

func podmanHost(sent Sent, host *container.HostConfig) {
	if len(host.CapAdd) == 0 && !slices.ContainsFunc(podmanCaps, func(c string) bool { return !slices.Contains(host.CapDrop, c) }) {
		host.CapDrop = sent.Host.CapDrop
	}
	if host.PidMode == "private" {
		host.PidMode = ""
	}
	if host.UTSMode == "private" {
		host.UTSMode = ""
	}
	if host.Runtime == "oci" { // whichever it is: only the default one can be had
		host.Runtime = cmp.Or(sent.Host.Runtime, sent.DefaultRuntime)
	}
	if s := host.MemorySwappiness; s != nil && *s == 0 && sent.Host.MemorySwappiness == nil {
		host.MemorySwappiness = nil
	}
	if host.CPUPeriod == 100_000 && host.CPUQuota == sent.Host.NanoCPUs/10_000 && host.NanoCPUs == sent.Host.NanoCPUs/10_000*10_000 {
		host.CPUPeriod, host.CPUQuota, host.NanoCPUs = 0, 0, sent.Host.NanoCPUs
	}
	if sameUlimits(sent.Host.Ulimits, host.Ulimits) {
		host.Ulimits = sent.Host.Ulimits
	}
	if maps.EqualFunc(sent.Host.Tmpfs, host.Tmpfs, sameTmpfs) {
		host.Tmpfs = sent.Host.Tmpfs
	}
	host.Annotations = maps.Clone(host.Annotations)
	maps.DeleteFunc(host.Annotations, podmanAnnotation)
	if len(host.Annotations) == 0 {
		host.Annotations = sent.Host.Annotations
	}
}

// podmanAnnotation tells whether Podman makes an annotation of what is compared anyway.
func podmanAnnotation(name, value string) bool {
	switch name {
	case "io.container.manager":
		return value == "libpod"
	case "io.podman.annotations.init":
		return value == "TRUE"
	case "io.podman.annotations.seccomp", "io.podman.annotations.pids-limit", "org.opencontainers.image.stopSignal",
		"org.systemd.property.KillSignal", "org.systemd.property.TimeoutStopUSec":
		return true
	}
	return false
}

// podmanVariable returns what finds the variables that Podman adds where nobody sets them.
func podmanVariable(sent Sent, hostname string) func(string) bool {
	set := slices.Clone(sent.Config.Env)
	if sent.Image != nil {
		set = append(set, sent.Image.Env...)
	}
	return func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		if slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, name+"=") }) {
			return false
		}
		switch name {
		case "PATH":
			return value == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
		case "container":
			return value == "podman"
		case "HOSTNAME":
			return value == hostname
		case "TERM":
			return value == "xterm"
		}
		return false
	}
}

// sameUlimits compares limits by Podman's names. Its own limit on processes is the one that
// the service itself has.
func sameUlimits(sent, got []*container.Ulimit) bool {
	text := func(list []*container.Ulimit) (texts []string) {
		for _, u := range list {
			name := strings.ToLower(strings.TrimPrefix(u.Name, "RLIMIT_"))
			if u.Name != "RLIMIT_NPROC" {
				texts = append(texts, fmt.Sprintf("%s=%d:%d", name, u.Soft, u.Hard))
			}
		}
		slices.Sort(texts)
		return texts
	}
	return slices.Equal(text(sent), text(got))
}

// sameTmpfs compares options in any order. The propagation is Podman's; that nothing is
// copied from the image is not told, but the contrary is.
func sameTmpfs(sent, got string) bool {
	options := func(text, but string) []string {
		list := strings.Split(text, ",")
		slices.Sort(list)
		return slices.DeleteFunc(list, func(o string) bool { return o == but })
	}
	return slices.Equal(options(sent, "notmpcopyup"), options(got, "rprivate"))
}

// podmanMounts compares mounts as Podman has them: as texts in Binds.
func podmanMounts(sent []mount.Mount, host *container.HostConfig, got *container.InspectResponse) {
	var want, have []string
	for _, m := range sent {
		options := []string{"rbind", string(mount.PropagationRPrivate)}
		if m.Type == mount.TypeBind {
			options = []string{"bind", string(m.BindOptions.Propagation)}
		}
		if m.ReadOnly {
			options = append(options, "ro")
		}
		want = append(want, podmanBind(m.Source, m.Target, options...))
	}
	for _, bind := range host.Binds {
		source, rest, _ := cutLast(bind, 2)
		target, options, _ := strings.Cut(rest, ":")
		have = append(have, podmanBind(source, target, strings.Split(options, ",")...))
	}
	slices.Sort(want)
	slices.Sort(have)
	if slices.Equal(want, have) && len(host.Mounts) == 0 {
		host.Binds, host.Mounts = nil, sent
	}
	got.Mounts = slices.Clone(got.Mounts)
	for i := range got.Mounts {
		if got.Mounts[i].Type == mount.TypeVolume && got.Mounts[i].Propagation == mount.PropagationRPrivate {
			got.Mounts[i].Propagation = ""
		}
	}
}

// podmanBind is a mount in Podman's words, with its options in a fixed order. It adds
// nosuid and nodev to volumes, and to what is in a file system that has them.
func podmanBind(source, target string, options ...string) string {
	options = slices.DeleteFunc(options, func(o string) bool { return o == "nosuid" || o == "nodev" })
	slices.Sort(options)
	return fmt.Sprintf("%s:%s:%v", source, target, options)
}

// cutLast cuts a text at the n-th separator from its end.
func cutLast(text string, n int) (before, after string, found bool) {
	at := len(text)
	for range n {
		if at = strings.LastIndexByte(text[:at], ':'); at < 0 {
			return text, "", false
		}
	}
	return text[:at], text[at+1:], true
}

// podmanNetwork knows that "bridge" is the mode of all networks there, and that the default
// one has the name "podman".
func podmanNetwork(mode container.NetworkMode, host *container.HostConfig, got *container.InspectResponse) {
	if mode.IsNone() || host.NetworkMode != "bridge" || got.NetworkSettings == nil || len(got.NetworkSettings.Networks) != 1 {
		return
	}
	name := string(mode)
	if mode.IsBridge() {
		name = "podman"
	}
	endpoint, attached := got.NetworkSettings.Networks[name]
	if !attached {
		return
	}
	host.NetworkMode = mode
	settings := *got.NetworkSettings
	if endpoint != nil {
		own := *endpoint
		own.MacAddress = "" // one that it makes up
		endpoint = &own
	}
	settings.Networks = map[string]*network.EndpointSettings{string(mode): endpoint}
	got.NetworkSettings = &settings
}
