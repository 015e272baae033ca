package fleet

import (
	"fmt"
	"strings"
)

// Permissions are the subjects that the user of a connection needs, as NATS knows
// them: in a server's configuration, or in a JWT.
type Permissions struct {
	Publish   []string
	Subscribe []string
	// Responses says that it answers to what it is asked: allow_responses.
	Responses bool
}

// String returns the permissions as a server's configuration has them.
func (p Permissions) String() string {
	list := func(subjects []string) string {
		quoted := make([]string, len(subjects))
		for i, s := range subjects {
			quoted[i] = fmt.Sprintf("%q", s)
		}
		return "[\n    " + strings.Join(quoted, "\n    ") + "\n  ]"
	}
	text := "{\n  publish: " + list(p.Publish) + "\n  subscribe: " + list(p.Subscribe) + "\n"
	if p.Responses {
		text += "  allow_responses: true\n"
	}
	return text + "}"
}

// InboxPrefix is what the client's connection needs: nats.CustomInboxPrefix(InboxPrefix(name)).
// With the usual prefix a client could read the answers to others.
func InboxPrefix(client string) string { return "_INBOX_" + client }

// ClientPermissions are those of the client of that name. They keep clients from reading each
// other's jobs, inputs and results. Clients who would harm each other should have an account of
// NATS each, and a fleet: a server answers a request to whatever subject its sender names, and so
// writes where the sender may not. The right to make a consumer, which would make that easier, is
// not among them.
func ClientPermissions(client string) (Permissions, error) {
	if err := checkName("client", client); err != nil {
		return Permissions{}, err
	}
	return Permissions{
		Publish: append([]string{jobSubject("*", client, "*"), cancelSubject(client, "*")}, bucketSubjects(client)...),
		Subscribe: []string{
			InboxPrefix(client) + ".>",
			liveSubject(client, "*", "*", "*"),
			doneSubject(client, "*"),
			wantedSubject(client, "*"),
		},
		Responses: true,
	}, nil
}

// bucketSubjects are those by which a client's results and objects are read and written.
func bucketSubjects(client string) []string {
	kv, objects := "KV_"+bucket(client), "OBJ_"+bucket(client)
	return []string{
		"$KV." + bucket(client) + ".>",
		"$O." + bucket(client) + ".>",
		"$JS.API.STREAM.INFO." + kv,
		"$JS.API.DIRECT.GET." + kv + ".>",
		"$JS.API.STREAM.INFO." + objects,
		"$JS.API.STREAM.PURGE." + objects,
		"$JS.API.DIRECT.GET." + objects + ".>",
	}
}

// WorkerPermissions are those of workers, which read and write what these clients have.
func WorkerPermissions(clients ...string) (Permissions, error) {
	p := Permissions{
		Publish: []string{
			"sandbox.live.>",
			wantedSubject("*", "*"),
			doneSubject("*", "*"),
			"$JS.ACK." + jobsStream + ".>",
			"$JS.API.CONSUMER.CREATE." + jobsStream + ".>",
			"$JS.API.CONSUMER.MSG.NEXT." + jobsStream + ".>",
			"$JS.API.STREAM.INFO." + jobsStream,
		},
		Subscribe: []string{
			"_INBOX.>",
			cancelSubject("*", "*"),
			statusSubject,
		},
		Responses: true,
	}
	for _, client := range clients {
		if err := checkName("client", client); err != nil {
			return Permissions{}, err
		}
		p.Publish = append(p.Publish, bucketSubjects(client)...)
	}
	return p, nil
}
