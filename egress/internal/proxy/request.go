package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"time"

	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// ServeHTTP takes one decision, for both ways in which a client can name its target.
func (a *access) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.enter() {
		panic(http.ErrAbortHandler) // a return would be an empty answer
	}
	defer a.active.Done()
	// A body that does not come ends with its request.
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestTime))
	name := r.URL.Host // the header Host does not count
	switch {
	case fields(r.Header) > maxFields:
		answer(w, fmt.Sprintf("the header has more than %d fields", maxFields), http.StatusRequestHeaderFieldsTooLarge)
		return
	case name != "" && r.Method == http.MethodConnect:
	case name == "" || r.URL.Scheme != "http":
		answer(w, "this is a proxy, for CONNECT and for addresses with http://", http.StatusBadRequest)
		return
	case r.URL.Port() == "":
		name = policy.Join(policy.Host(r.URL.Hostname()), 80)
	}
	host, port, err := policy.Split(name)
	if err != nil {
		answer(w, fmt.Sprintf("the target %q %v", name, err), http.StatusBadRequest)
		return
	}
	target := policy.Join(host, port)
	if !a.policy.Allows(host, port) {
		a.deny(w, target, "it is not in the allow-list", "it is not in the allow-list")
		return
	}
	if r.Method == http.MethodConnect {
		clear(r.Header) // which would stay as long as the tunnel
		a.connect(r.Context(), w, host, target)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTime)
	defer cancel()
	r = r.WithContext(httptrace.WithClientTrace(context.WithValue(ctx, requestKey{}, ctx), boundEarly()))
	r.URL.Host, r.Host, r.URL.User = target, r.URL.Host, nil
	r.Header.Del("Upgrade")
	a.forward.ServeHTTP(finalOnly{w}, r)
}

// requestKey is the key of a request's context, which the HTTP client hands to dial as a value
// alone.
type requestKey struct{}

// finalOnly drops what comes before the final answer: it is written by another goroutine than
// "100 Continue" is, without a lock between them.
type finalOnly struct{ http.ResponseWriter }

func (w finalOnly) WriteHeader(code int) {
	if code >= http.StatusOK {
		w.ResponseWriter.WriteHeader(code)
	}
}

// Unwrap is for http.ResponseController.
func (w finalOnly) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// boundEarly ends a request whose server answers again and again without a final answer.
func boundEarly() *httptrace.ClientTrace {
	early := 0
	return &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
		if early++; early > maxEarly {
			return errors.New("the server does not come to its final answer")
		}
		return nil
	}}
}

// check refuses a response after which other things than HTTP would follow, which nobody could
// decide about, and one whose header has too much.
func check(r *http.Response) error {
	switch {
	case r.StatusCode == http.StatusSwitchingProtocols:
		return errors.New("the server wants to go on with another protocol")
	case fields(r.Header) > maxFields:
		return fmt.Errorf("the header has more than %d fields", maxFields)
	}
	return nil
}

func fields(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// refuse answers a request that could not be carried out.
func (a *access) refuse(w http.ResponseWriter, r *http.Request, err error) {
	a.unreachable(w, r.URL.Host, err)
}

// unreachable tells the client no more than it must know: errors have addresses of the proxy's
// networks and name servers.
func (a *access) unreachable(w http.ResponseWriter, target string, err error) {
	if errors.Is(err, policy.ErrAddress) {
		a.deny(w, target, err.Error(), policy.ErrAddress.Error())
		return
	}
	answer(w, target+" cannot be reached", http.StatusBadGateway)
}

// deny tells the caller why, and the client what it may know of that.
func (a *access) deny(w http.ResponseWriter, target, why, told string) {
	a.denials.add(target, why)
	answer(w, fmt.Sprintf("%s is not allowed: %s", target, told), http.StatusForbidden)
}

// answer is the proxy's own answer. It does not wait for the rest of the request.
func answer(w http.ResponseWriter, text string, status int) {
	w.Header().Set("Connection", "close")
	http.Error(w, text, status)
}
