package main

import (
	"time"

	"github.com/synchestra-io/sandbox"
)

// download fetches a module's dependencies from one proxy, before the tests. The module is a
// stranger's: its go.mod and the files beside it must not make the go command run anything,
// or ask anybody else. docs/dependencies.md has the reasons, and TestDownload tries
// each way out.
func download(proxy string) sandbox.Setup {
	return sandbox.Setup{
		Cmd: []string{"go", "mod", "download"},
		Env: map[string]string{
			"GOPROXY":     proxy,   // and no "direct", which runs git, hg and others
			"GOVCS":       "*:off", // not for replaced or private modules either
			"GOTOOLCHAIN": "local", // a toolchain line would download a go command and run it
			"GOWORK":      "off",   // the module alone
			"GOENV":       "off",   // nobody's settings from a file
			"GOFLAGS":     "",
			"GOAUTH":      "off", // which can name a command
			"GOPRIVATE":   "",    // these name modules that are not asked of the proxy
			"GONOPROXY":   "",
			"GOSUMDB":     "off", // the module's go.sum decides: no other server is asked
		},
		Network: "bridge",
		Timeout: 5 * time.Minute,
	}
}

// sealed is the environment of commands that have what download has fetched.
var sealed = map[string]string{"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-modcacherw"}
