package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/synchestra-io/sandbox"
)

func envOr(name, or string) string { return cmp.Or(os.Getenv(name), or) }

// environment reads NAME=VALUE, and NAME for one of this program's own variables.
func environment(list []string) (map[string]string, error) {
	env := map[string]string{}
	for _, entry := range list {
		name, value, found := strings.Cut(entry, "=")
		if !found {
			if value, found = os.LookupEnv(name); !found {
				return nil, fmt.Errorf("--env %s: this program has no such variable; write --env %s=VALUE", name, name)
			}
		}
		env[name] = value
	}
	return env, nil
}

// mounts reads SOURCE:TARGET[:rw|:ro].
func mounts(list []string) (all []sandbox.Mount, err error) {
	for _, entry := range list {
		m := sandbox.Mount{ReadOnly: true}
		rest := strings.TrimSuffix(entry, ":ro")
		if writable, found := strings.CutSuffix(rest, ":rw"); found {
			rest, m.ReadOnly = writable, false
		}
		i := strings.LastIndex(rest, ":")
		if i <= 0 || i == len(rest)-1 {
			return nil, fmt.Errorf("--mount %s: want SOURCE:TARGET, or SOURCE:TARGET:rw", entry)
		}
		m.Source, m.Target = rest[:i], rest[i+1:]
		all = append(all, m)
	}
	return all, nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
