package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rules of this module that no compiler holds.

const module = "github.com/synchestra-io/sandbox"

// imports are all that a package may import beside the standard library, and
// why: every importer of this module pays for them. Package testing needs a reason, too:
// it is no part of a program.
var imports = map[string]map[string]string{
	module: {
		module + "/isolation":                          "the hardened preset",
		module + "/internal/archive":                   "the tars that go to the engine and come from it",
		module + "/internal/artifacts":                 "the files that the command made",
		module + "/internal/bounds":                    "how long it waits",
		module + "/internal/claims":                    "who claims which path",
		module + "/internal/cleanup":                   "what is undone at a run's end",
		module + "/internal/discover":                  "which engine",
		module + "/internal/dockerx":                   "the engine",
		module + "/internal/handover":                  "what one command leaves for the next",
		module + "/internal/registry":                  "who pulls",
		module + "/internal/ending":                    "the one deadline of a run that is cut off",
		module + "/internal/pause":                     "the program that holds the disk",
		module + "/internal/owner":                     "the marks of what a run makes",
		module + "/internal/process":                   "the command, from its start to its end",
		module + "/internal/stdio":                     "the command's three streams",
		module + "/internal/task":                      "what goes on beside a run",
		module + "/internal/telemetry":                 "what an operator is told",
		module + "/internal/upload":                    "the way of the input",
		module + "/internal/validate":                  "the checks of values",
		module + "/internal/verify":                    "the check of what the engine made of a container",
		"github.com/containerd/errdefs":                "the engine's refusals by kind",
		"github.com/docker/docker/api/types/container": "types only, handed from isolation to dockerx",
		"github.com/docker/docker/api/types/mount":     "types only, handed from isolation to dockerx",
	},
	module + "/isolation": {
		module + "/internal/verify":                       "its function Verify",
		"github.com/docker/docker/api/types/container":    "what it fills in",
		"github.com/docker/docker/api/types/mount":        "what it fills in",
		"github.com/docker/go-connections/nat":            "the type of a field of HostConfig",
		"github.com/moby/profiles/seccomp":                "the engine's own makers keep the profile up to date",
		"github.com/opencontainers/runtime-spec/specs-go": "its types",
	},
	module + "/internal/artifacts": {
		module + "/internal/archive":    "the engine sends tars",
		module + "/internal/dockerx":    "the container",
		module + "/internal/validate":   "which path is within which",
		"github.com/containerd/errdefs": "the engine's refusals by kind",
	},
	module + "/internal/handover": {
		module + "/internal/archive":   "how long a name can be",
		module + "/internal/artifacts": "where links of the image's lead",
		module + "/internal/claims":    "who claims which path",
		module + "/internal/dockerx":   "what is where",
		module + "/internal/validate":  "which path is within which",
	},
	module + "/internal/archive": {
		module + "/internal/claims": "which names an input must leave alone",
		module + "/isolation":       "the user that owns all entries",
	},
	module + "/internal/spantest": {
		"testing":                                 "it is for tests",
		"go.opentelemetry.io/otel":                "where it is set as the provider",
		"go.opentelemetry.io/otel/attribute":      "what a provider is called with",
		"go.opentelemetry.io/otel/codes":          "what a provider is called with",
		"go.opentelemetry.io/otel/trace":          "what a provider is called with",
		"go.opentelemetry.io/otel/trace/embedded": "what a provider must embed",
	},
	module + "/internal/telemetry": {
		"go.opentelemetry.io/otel":           "the program's providers",
		"go.opentelemetry.io/otel/attribute": "what spans and metrics say",
		"go.opentelemetry.io/otel/codes":     "which spans failed",
		"go.opentelemetry.io/otel/metric":    "the metrics",
		"go.opentelemetry.io/otel/trace":     "the spans",
	},
	module + "/internal/process": {
		module + "/internal/bounds":                    "how long it waits",
		module + "/internal/dockerx":                   "the container",
		module + "/internal/ending":                    "the deadline of the kill and of what follows",
		module + "/internal/stdio":                     "the streams that it drains and feeds",
		"github.com/docker/docker/api/types/container": "a type only, in the check before the start",
	},
	module + "/internal/verify": {
		"github.com/docker/docker/api/types/container": "what it compares",
		"github.com/docker/docker/api/types/mount":     "what it compares",
		"github.com/docker/docker/api/types/network":   "what it compares",
		"github.com/docker/docker/api/types/strslice":  "the type of a field of Config",
	},
	module + "/internal/upload": {
		module + "/internal/dockerx": "the container",
		module + "/internal/stdio":   "the caller's reader",
	},
	module + "/internal/discover": {"github.com/docker/cli/cli/config": "the docker command's configuration"},
	module + "/internal/registry": {
		module + "/internal/bounds":                               "how long a helper may take",
		"github.com/docker/cli/cli/config":                        "the docker command's configuration",
		"github.com/docker/cli/cli/config/configfile":             "its type",
		"github.com/docker/cli/cli/config/credentials":            "its files and its default helper",
		"github.com/docker/docker-credential-helpers/client":      "how to talk to a helper",
		"github.com/docker/docker-credential-helpers/credentials": "its errors",
	},
	module + "/internal/cleanup": {
		module + "/internal/bounds":  "how long an object can appear late",
		module + "/internal/dockerx": "whether the engine has refused to make one",
	},
	module + "/internal/ending":   {module + "/internal/bounds": "how long it is"},
	module + "/internal/leaktest": {"testing": "it is for tests"},
	module + "/internal/validate": {"github.com/distribution/reference": "the grammar of images' names"},
	module + "/internal/dockerx": {
		"go.opentelemetry.io/otel/trace":                   "whose span a shared pull belongs to",
		module + "/internal/bounds":                        "how long it waits",
		module + "/isolation":                              "the hardening, with what the engine takes and enforces",
		"github.com/docker/docker/client":                  "the engine; nobody else may speak to it",
		"github.com/docker/docker/api/types":               "its type of a hijacked connection",
		"github.com/docker/docker/api/types/container":     "its types",
		"github.com/docker/docker/api/types/filters":       "its types",
		"github.com/docker/docker/api/types/image":         "its types",
		"github.com/docker/docker/api/types/network":       "its types",
		"github.com/docker/docker/api/types/registry":      "its types",
		"github.com/docker/cli/cli/connhelper":             "the way over SSH",
		"github.com/opencontainers/image-spec/specs-go/v1": "the type of a platform",
		"github.com/docker/docker/api/types/volume":        "its types",
		"github.com/docker/docker/api/types/system":        "its types",
		"github.com/docker/docker/api/types/versions":      "which API version is older",
		"github.com/containerd/errdefs":                    "its refusals by kind",
	},
	module + "/internal/certtest": {"testing": "it is for tests", "github.com/stretchr/testify/require": "as well"},
	module + "/scripts/go-cache":  {module + "/internal/rootfs": "it makes the cache before the tests do"},
	module + "/scripts/ping":      {module + "/internal/dockerx": "it asks the engine as a run does"},
	module + "/internal/enginetest": {
		"testing":                                      "it is for tests",
		module + "/internal/certtest":                  "certificates",
		module + "/internal/leaktest":                  "the check for goroutines",
		module + "/internal/owner":                     "which objects are a run's",
		module + "/internal/rootfs":                    "the files of images",
		module + "/internal/tarball":                   "the files of images",
		"github.com/docker/docker/client":              "the tests' own view of an engine",
		"github.com/docker/docker/api/types":           "its types",
		"github.com/docker/docker/api/types/container": "its types",
		"github.com/docker/docker/api/types/events":    "its types",
		"github.com/docker/docker/api/types/filters":   "its types",
		"github.com/docker/docker/api/types/image":     "its types",
		"github.com/docker/docker/api/types/volume":    "its types",
		"github.com/stretchr/testify/require":          "as well",
	},
	module + "/integration/behaviour": {
		module:                       "what it checks",
		module + "/internal/tarball": "inputs",
	},
	module + "/integration/internal/runtest": {
		"testing":                             "it is for tests",
		module:                                "what it runs",
		module + "/internal/enginetest":       "the engine and its images",
		module + "/internal/owner":            "the IDs of runs",
		module + "/internal/tarball":          "inputs",
		"github.com/stretchr/testify/require": "as well",
	},
	module + "/integration/attacks/probe/program": {
		module + "/integration/attacks/probe": "what it is the program of",
	},
	module + "/integration/attacks": {
		module:                                         "what it attacks",
		module + "/internal/dockerx":                   "its import of an image",
		module + "/internal/rootfs":                    "it builds the probe",
		"github.com/docker/docker/client":              "it imports the attack image and lists containers",
		"github.com/docker/docker/api/types/image":     "its types",
		"github.com/docker/docker/api/types/container": "whose processes are looked for",
	},
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		used := map[string]bool{}
		for _, f := range p.files {
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				used[path] = true
				if domain, _, _ := strings.Cut(path, "/"); (strings.Contains(domain, ".") || path == "testing") && imports[p.path][path] == "" {
					t.Errorf("%s: %s must not import %s; if it has to, say why in the table imports", p.at(spec), p.path, path)
				}
			}
		}
		for path := range imports[p.path] {
			require.True(t, used[path], "%s does not import %s any more: remove its line from the table imports", p.path, path)
		}
	}
}

// The root package hands the engine's types on and does nothing with them, and
// one function creates containers. Nothing else runs or changes anything there.
func TestUseOfTheSDK(t *testing.T) {
	var creating []string
	for _, p := range packages(t) {
		for id, object := range p.info.Uses {
			if object.Pkg() == nil || !strings.HasPrefix(object.Pkg().Path(), "github.com/docker/") {
				continue
			}
			if _, isType := object.(*types.TypeName); p.path == module && !isType {
				t.Errorf("%s: %s is more than a type of the SDK: move this to isolation or internal/dockerx", p.at(id), id.Name)
			}
			switch id.Name {
			case "ContainerCreate":
				creating = append(creating, p.path+"."+p.function(id))
			case "ContainerUpdate", "ContainerExecCreate", "ContainerExecStart", "ContainerExecAttach", "ServiceCreate":
				t.Errorf("%s: %s: nothing but the job runs in a container, and as it was created", p.at(id), id.Name)
			}
		}
	}
	require.Equal(t, []string{module + "/internal/dockerx.Create"}, creating, "create containers by dockerx.Client.Create alone")
}

// Tests included, with every build tag.
func TestHabits(t *testing.T) {
	fset := token.NewFileSet()
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		require.NoError(t, err)
		commented := map[int]bool{}
		for _, group := range f.Comments {
			for _, c := range group.List {
				commented[fset.Position(c.Pos()).Line] = true
				if strings.HasPrefix(c.Text, "//nolint") {
					t.Errorf("%s: mend what the linter found", fset.Position(c.Pos()))
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				named := func(e ast.Expr) bool { return types.ExprString(e) != "_" }
				if at := fset.Position(n.Pos()); n.Tok == token.ASSIGN && !slices.ContainsFunc(n.Lhs, named) && !commented[at.Line] {
					t.Errorf("%s: a value is dropped: say why at the end of the line", at)
				}
			case *ast.CompositeLit:
				if strings.HasPrefix(file, "integration/") && n.Type != nil && types.ExprString(n.Type) == "bounds.Bounds" {
					t.Errorf("%s: a bound that is added later would be zero here: start from bounds.Default()", fset.Position(n.Pos()))
				}
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || !strings.HasSuffix(file, "_test.go") {
					break
				}
				switch name := types.ExprString(method); {
				case name == "time.Sleep":
					t.Errorf("%s: a sleep is too short or too long: wait for the event", fset.Position(n.Pos()))
				case slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method.Sel.Name):
					t.Errorf("%s: a skipped test tells nothing: make it run or fail", fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}
