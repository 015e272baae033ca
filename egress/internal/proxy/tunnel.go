package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// connect makes a tunnel. Nothing of the client's goes through before its first message, which
// must be that of TLS, names the host that was allowed.
func (a *access) connect(ctx context.Context, w http.ResponseWriter, host, target string) {
	server, err := a.dial(ctx, "tcp", target)
	if err != nil {
		a.unreachable(w, target, err)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	defer server.Close() // whose slot is free before the client can ask again
	// The request's context would end when the client says that it sends no more.
	defer context.AfterFunc(a.life, func() { client.Close(); server.Close() })()
	early, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		return
	}
	fromClient := io.MultiReader(bytes.NewReader(early), client)
	client.SetDeadline(time.Now().Add(helloTime))
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	hello, name, err := readHello(fromClient)
	if a.life.Err() != nil || len(hello) == 0 {
		return // the access ends, or the client has sent nothing
	}
	if err == nil && name != host && !(name == "" && isAddress(host)) {
		err = fmt.Errorf("it names the server %q", name)
	}
	if err != nil {
		a.denials.add(target, "the tunnel's first message: "+err.Error())
		return
	}
	if _, err := server.Write(hello); err != nil {
		return
	}
	client.SetDeadline(time.Time{})
	pass(client, fromClient, server)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// pass copies both ways until both have ended, one has failed, or nothing has come for a while.
func pass(client net.Conn, fromClient io.Reader, server net.Conn) {
	idle := time.AfterFunc(idleTime, func() { client.Close(); server.Close() })
	defer idle.Stop()
	var both sync.WaitGroup
	one := func(to net.Conn, from io.Reader) {
		if _, err := io.Copy(to, alive{from, idle}); err != nil {
			client.Close()
			server.Close()
			return
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}
	both.Go(func() { one(server, fromClient) })
	both.Go(func() { one(client, server) })
	both.Wait()
}

// alive puts a timer off whenever something is read.
type alive struct {
	io.Reader
	idle *time.Timer
}

func (r alive) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.idle.Reset(idleTime)
	}
	return n, err
}
