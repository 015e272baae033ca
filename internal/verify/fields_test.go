package verify_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/verify"
)

// A field of what an engine says of a container is either compared, or not for the
// reason in the table. A field that the tables do not know has come with a new SDK:
// find out what it does to a container, and what engines report in it for a container
// that was created and not started, before it gets a line here.

const compared = ""

const (
	builds    = "for builds"
	windows   = "Windows"
	operating = "the engine's own, of a running container"
	isForm    = "form without content: how the engine keeps the container"
)

var (
	configFields = map[string]string{
		"Domainname": compared, "User": compared, "AttachStdin": compared, "AttachStdout": compared, "AttachStderr": compared,
		"Tty": compared, "OpenStdin": compared, "StdinOnce": compared, "Env": compared, "Cmd": compared, "Healthcheck": compared,
		"Image": compared, "Volumes": compared, "WorkingDir": compared, "Entrypoint": compared, "NetworkDisabled": compared,
		"MacAddress": compared, "Labels": compared, "StopTimeout": compared,

		"Hostname":     "the engine makes one up, which nothing trusts",
		"ExposedPorts": "the image's; nothing is published",
		"ArgsEscaped":  windows,
		"OnBuild":      builds,
		"StopSignal":   "the image's; a job is killed, never stopped",
		"Shell":        builds,
	}

	baseFields = map[string]string{
		"Path": compared, "Args": compared, "Image": compared, "HostConfig": compared,

		"ID":              "the engine makes one up",
		"Created":         isForm,
		"State":           "the start itself looks at it",
		"ResolvConfPath":  operating,
		"HostnamePath":    operating,
		"HostsPath":       operating,
		"LogPath":         "nothing is logged, see HostConfig.LogConfig",
		"Name":            "the inspection was by name",
		"RestartCount":    operating,
		"Driver":          isForm,
		"Platform":        isForm,
		"MountLabel":      "the engine's own; an option that sets it is in HostConfig.SecurityOpt",
		"ProcessLabel":    "the engine's own; an option that sets it is in HostConfig.SecurityOpt",
		"AppArmorProfile": "the engine sets it at the start; an option for it is in HostConfig.SecurityOpt",
		"ExecIDs":         operating,
		"GraphDriver":     isForm,
		"SizeRw":          isForm,
		"SizeRootFs":      isForm,
	}

	inspectFields = map[string]string{
		"ContainerJSONBase": compared, "Mounts": compared, "Config": compared, "NetworkSettings": compared,
		"ImageManifestDescriptor": "the image is compared by its ID",
	}

	networkFields = map[string]string{"NetworkSettingsBase": operating, "DefaultNetworkSettings": operating, "Networks": compared}

	endpointFields = map[string]string{
		"IPAMConfig": compared, "Links": compared, "Aliases": compared, "MacAddress": compared, "DriverOpts": compared, "GwPriority": compared,
		"NetworkID": operating, "EndpointID": operating, "Gateway": operating, "IPAddress": operating, "IPPrefixLen": operating,
		"IPv6Gateway": operating, "GlobalIPv6Address": operating, "GlobalIPv6PrefixLen": operating, "DNSNames": operating,
	}

	mountPointFields = map[string]string{
		"Type": compared, "Name": compared, "Destination": compared, "RW": compared, "Propagation": compared,
		"Source": "of a bind it is in HostConfig.Mounts, of a volume it is the engine's own",
		"Driver": "volumes are created by this library, with the local driver",
		"Mode":   "an older form of the other fields",
	}
)

// Each field is edited in turn: a compared one must be noticed, another one must not.
func TestEveryFieldIsClassified(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]string
		of     func(*container.InspectResponse) any
	}{
		"InspectResponse":   {inspectFields, func(r *container.InspectResponse) any { return r }},
		"ContainerJSONBase": {baseFields, func(r *container.InspectResponse) any { return r.ContainerJSONBase }},
		"HostConfig":        {nil, func(r *container.InspectResponse) any { return r.HostConfig }},
		"Resources":         {nil, func(r *container.InspectResponse) any { return &r.HostConfig.Resources }},
		"LogConfig":         {nil, func(r *container.InspectResponse) any { return &r.HostConfig.LogConfig }},
		"RestartPolicy":     {nil, func(r *container.InspectResponse) any { return &r.HostConfig.RestartPolicy }},
		"Config":            {configFields, func(r *container.InspectResponse) any { return r.Config }},
		"NetworkSettings":   {networkFields, func(r *container.InspectResponse) any { return r.NetworkSettings }},
		"EndpointSettings":  {endpointFields, func(r *container.InspectResponse) any { return r.NetworkSettings.Networks["bridge"] }},
		"MountPoint":        {mountPointFields, func(r *container.InspectResponse) any { return &r.Mounts[1] }},
		"Mount of a bind":   {nil, func(r *container.InspectResponse) any { return &r.HostConfig.Mounts[0] }},
		"Mount of a volume": {nil, func(r *container.InspectResponse) any { return &r.HostConfig.Mounts[2] }},
		"BindOptions":       {nil, func(r *container.InspectResponse) any { return r.HostConfig.Mounts[0].BindOptions }},
		"VolumeOptions":     {nil, func(r *container.InspectResponse) any { return r.HostConfig.Mounts[2].VolumeOptions }},
	} {
		t.Run(name, func(t *testing.T) { everyField(t, c.fields, c.of) })
	}
}

// everyField edits the fields of one struct of an answer. A nil table means that all
// are compared.
func everyField(t *testing.T, table map[string]string, of func(*container.InspectResponse) any) {
	sent := sample()
	first := readBack(t, sent)
	typ := reflect.TypeOf(of(&first)).Elem()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		reason, known := table[name]
		if table != nil && !known {
			t.Errorf("the SDK's field %s.%s is new: find out what it does, then compare or classify it", typ, name)
			continue
		}
		got := readBack(t, sent)
		edit(t, reflect.ValueOf(of(&got)).Elem().Field(i))
		err := verify.Container(sent, got)
		if reason == compared {
			require.Error(t, err, "nobody saw an edited %s.%s", typ, name)
		} else {
			require.NoError(t, err, "%s.%s is classified as not compared (%s)", typ, name, reason)
		}
	}
	for name := range table {
		_, exists := typ.FieldByName(name)
		require.True(t, exists, "%s.%s is gone from the SDK: remove its line", typ, name)
	}
}

// The table and the code say the same of endpoints.
func TestEndpointFields(t *testing.T) {
	for name, reason := range endpointFields {
		require.Equal(t, reason == operating, slices.Contains(verify.EndpointOwn, name), name)
	}
	require.Len(t, endpointFields, reflect.TypeFor[network.EndpointSettings]().NumField())
}

// edit gives a field another value.
func edit(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint, reflect.Uint16, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Slice:
		if v.Len() > 0 {
			v.Set(reflect.Zero(v.Type()))
		} else {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
	case reflect.Map:
		if v.Len() > 0 {
			v.Set(reflect.Zero(v.Type()))
		} else {
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			v.Set(reflect.Zero(v.Type()))
			return
		}
		other := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			other.Elem().Set(v.Elem())
		}
		edit(t, other.Elem())
		v.Set(other)
	case reflect.Array:
		edit(t, v.Index(0))
	case reflect.Struct:
		if v.NumField() > 0 {
			edit(t, v.Field(0))
		}
	default:
		t.Fatalf("%s has a kind that this test cannot edit", v.Type())
	}
}
