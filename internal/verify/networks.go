package verify

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// networks wants the container attached to the network of its mode, in the usual way,
// and to no other; and to none if it has no network of its own.
func (d *differences) networks(sent Sent, got container.InspectResponse) {
	want := []string{string(sent.Host.NetworkMode)}
	if sent.Config.NetworkDisabled || sent.Host.NetworkMode.IsContainer() {
		want = nil
	}
	if got.NetworkSettings == nil {
		d.add("NetworkSettings.Networks", want, "nothing to say")
		return
	}
	have := slices.Sorted(maps.Keys(got.NetworkSettings.Networks))
	if !slices.Equal(want, have) {
		d.add("NetworkSettings.Networks", want, have)
		return
	}
	for _, name := range want {
		if endpoint := got.NetworkSettings.Networks[name]; endpoint != nil {
			d.endpoint("NetworkSettings.Networks."+name+".", reflect.ValueOf(*endpoint), got.ID)
		}
	}
}

// endpointOwn are the fields of an endpoint that the engine fills in.
var endpointOwn = []string{
	"NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen",
	"IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "DNSNames",
}

// endpoint wants no setting: none is ever sent.
func (d *differences) endpoint(prefix string, got reflect.Value, id string) {
	for i := range got.NumField() {
		name, value := got.Type().Field(i).Name, got.Field(i)
		switch {
		case slices.Contains(endpointOwn, name):
		case name == "Aliases": // some engines add the container's short ID
			for _, alias := range value.Interface().([]string) {
				if len(alias) < 12 || !strings.HasPrefix(id, alias) {
					d.add(prefix+name, "none", value)
					break
				}
			}
		case name == "IPAMConfig":
			if ipam := value.Interface().(*network.EndpointIPAMConfig); ipam != nil && !reflect.ValueOf(*ipam).IsZero() {
				d.add(prefix+name, "none", *ipam)
			}
		case (value.Kind() == reflect.Map || value.Kind() == reflect.Slice) && value.Len() == 0:
		case !value.IsZero():
			d.add(prefix+name, "none", value)
		}
	}
}
