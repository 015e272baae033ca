package discover

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// metadata is what the docker command stores of a context, in
// contexts/meta/<SHA-256 of the name>/meta.json.
type metadata struct {
	Name      string
	Endpoints map[string]struct {
		Host          string
		SkipTLSVerify bool
	}
}

// fromContext reads a context that the docker command has stored; origin is who named it.
func fromContext(name, origin string) (Engine, error) {
	fail := func(format string, args ...any) (Engine, error) {
		return Engine{}, fmt.Errorf("docker context %q (%s): %w", name, origin, fmt.Errorf(format, args...))
	}
	if ConfigDir() == "" {
		return fail("this user has no home directory; set DOCKER_CONFIG")
	}
	store := filepath.Join(ConfigDir(), "contexts")
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	text, err := os.ReadFile(filepath.Join(store, "meta", id, "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return fail("it does not exist; there are %q", append([]string{builtin}, names(store)...))
	}
	if err != nil {
		return fail("%w", err)
	}
	var m metadata
	if err := json.Unmarshal(text, &m); err != nil {
		return fail("its metadata is damaged: %w", err)
	}
	docker, found := m.Endpoints["docker"]
	if !found || docker.Host == "" {
		return fail("it names no Docker engine")
	}
	e := Engine{Host: docker.Host, Context: true, Origin: fmt.Sprintf("docker context %q, %s", name, origin)}
	if e.TLS, err = tlsOf(filepath.Join(store, "tls", id, "docker"), docker.SkipTLSVerify); err != nil {
		return fail("%w", err)
	}
	if socket, local := strings.CutPrefix(docker.Host, "unix://"); local {
		e.Sockets = append(e.Sockets, socket)
	}
	return e, nil
}

// names lists the contexts of a store.
func names(store string) (list []string) {
	files, _ := filepath.Glob(filepath.Join(store, "meta", "*", "meta.json"))
	for _, file := range files {
		var m metadata
		if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &m) == nil {
			list = append(list, m.Name)
		}
	}
	slices.Sort(list)
	return list
}

// tlsOf reads the certificates of a context; nil = it has none, and speaks no TLS.
func tlsOf(dir string, insecure bool) (*tls.Config, error) {
	ca, caErr := os.ReadFile(filepath.Join(dir, "ca.pem"))
	cert, certErr := os.ReadFile(filepath.Join(dir, "cert.pem"))
	key, keyErr := os.ReadFile(filepath.Join(dir, "key.pem"))
	for _, err := range []error{caErr, certErr, keyErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if caErr != nil && certErr != nil && keyErr != nil && !insecure {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure}
	if caErr == nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s has no certificate", filepath.Join(dir, "ca.pem"))
		}
	}
	if certErr == nil || keyErr == nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("the client certificate in %s: %w", dir, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
