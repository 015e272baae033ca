package isolation

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"
)

func TestMountsAreClosed(t *testing.T) {
	mounts := maximal().HostConfig().Mounts
	require.Len(t, mounts, len(maximal().Mounts))
	for _, m := range mounts {
		switch m.Type {
		case mount.TypeBind:
			propagation := mount.PropagationRPrivate
			if m.Target == "/tmp" || m.Target == "/etc/hosts" { // a Part
				propagation = mount.PropagationRSlave
			}
			require.Equal(t, &mount.BindOptions{NonRecursive: true, Propagation: propagation}, m.BindOptions, m.Target)
			require.Nil(t, m.VolumeOptions, m.Target)
		case mount.TypeVolume:
			require.True(t, m.VolumeOptions.NoCopy, m.Target)
			require.Nil(t, m.VolumeOptions.DriverConfig, "%s: a driver's options can mount the host", m.Target)
			require.Nil(t, m.BindOptions, m.Target)
		}
		require.Nil(t, m.TmpfsOptions, m.Target)
	}
}

// A slave sends nothing to the host. Whatever would is private.
func TestPropagationIsClosed(t *testing.T) {
	for _, asked := range append(mount.Propagations, "", "new") {
		want := mount.PropagationRPrivate
		if asked == mount.PropagationRSlave {
			want = asked
		}
		m := Bind("/srv", "/srv", false)
		m.BindOptions = &mount.BindOptions{Propagation: asked}
		closed := Preset{Mounts: []mount.Mount{m}}.HostConfig().Mounts
		require.Equal(t, want, closed[0].BindOptions.Propagation, "asked for %q", asked)
	}
}

// Only binds and volumes have rules; anything else would come without any.
func TestMountsOfOtherTypesAreNotPassedOn(t *testing.T) {
	for _, kind := range []mount.Type{mount.TypeTmpfs, mount.TypeNamedPipe, mount.TypeCluster, mount.TypeImage, "", "new"} {
		p := Preset{Mounts: []mount.Mount{{Type: kind, Source: "x", Target: "/x"}}}
		require.Empty(t, p.HostConfig().Mounts, "type %q", kind)
	}
}

// On network "none" and on internal ones a container is not told the host's name servers.
// On others it needs them.
func TestResolver(t *testing.T) {
	none := Preset{}.HostConfig()
	require.Equal(t, []string{"127.0.0.1"}, none.DNS)
	require.Equal(t, []string{"."}, none.DNSSearch)
	bridge := Preset{NetworkMode: "bridge"}.HostConfig()
	require.Empty(t, bridge.DNS)
	require.Empty(t, bridge.DNSSearch)
	internal := Preset{NetworkMode: "n", InternalNetwork: true}.HostConfig()
	require.Equal(t, none.DNS, internal.DNS)
	require.Equal(t, none.DNSSearch, internal.DNSSearch)
}

// A namespace is joined by a container's full ID alone.
func TestNamespace(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	require.EqualValues(t, "container:"+id, Preset{Namespace: id, NetworkMode: "bridge"}.HostConfig().NetworkMode)
	require.EqualValues(t, "none", Preset{Namespace: id, Podman: true}.HostConfig().NetworkMode)
	for _, other := range []string{"host", "name", id[1:], id + "0", "host\n" + id} {
		require.EqualValues(t, "none", Preset{Namespace: other, NetworkMode: "bridge"}.HostConfig().NetworkMode, other)
	}
}
