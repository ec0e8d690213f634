// Package spec_test is the promise of rws: it builds the real binary and runs it as a user
// would, from outside. It imports nothing of rws.
//
// # Write a spec in five minutes
//
// A spec is one file in cases/, named after the capability: cases/cookies.txtar. It holds
// the script to run and, below it, the files of the app:
//
//	# a cookie is HttpOnly unless the script says otherwise
//	serve app.lua
//	http GET /login
//	status 200
//	header Set-Cookie 'id=7; Path=/; HttpOnly; SameSite=Lax'
//
//	-- app.lua --
//	app:get("/login", function(c) c.cookies.id = "7" return "hi" end)
//
// Run it with
//
//	go test ./spec_test -run 'TestSpecs/cookies$'
//
// A failing spec prints the script up to the failing line, the last answer and the log of
// the server. RWS_BINARY=/path/to/rws runs the specs against that binary, such as a release,
// instead of one built from this checkout. Every command of testscript works (exec, cp, rm, env, cmp, stdout, stderr,
// exists, [unix] …); see its documentation. Beside them there are the ones below. A "!"
// before a command means that it must fail.
//
// Servers
//
//	serve [NAME=value …] app.lua [flags]   start rws on a free port and wait until it listens;
//	                                       sets $URL, and $URL1, $URL2 … in the order of start
//	serverlog REGEXP                       the last server prints a match, sooner or later;
//	                                       "! serverlog": it has printed none so far
//	edit FILE OLD NEW                      replace text in a file, at once
//	signal HUP|TERM|INT                    send a signal to the last server
//	halt                                   SIGTERM, then the server must exit with 0
//	exited CODE                            the last server ends by itself, with that code
//	kill                                   the last server ends at once, as in a crash
//	peer postgres|mariadb [own]            a new database on a server that the specs share, or on
//	                                       one of this spec's own; sets $PG_URL or $MYSQL_URL
//	peer stop|start                        crash the server of its own, and start it again
//	cert NAME [host …]                     make NAME.pem and NAME.key; http trusts them
//	kill                                   SIGKILL to the last server
//	example NAME                           copy examples/scripts here and serve NAME.lua
//
// A server that still runs at the end of the script is stopped as by halt.
//
// Requests
//
//	http METHOD PATH [options]             PATH is below $URL, or a whole URL
//	    -H 'Name: value'                   a header; Host too
//	    -d TEXT, -d @FILE                  the body
//	    -json TEXT                         the body, as application/json
//	    -form NAME=VALUE …                 a field of a form
//	    -file NAME=FILE …                  a file of a multipart form
//	    -as HOST                           reach the server by this name, which no DNS has to know
//	    -cert NAME                         show NAME.pem of cert, when the server asks for it
//	    -2                                 speak HTTP/2, also without TLS
//	begin NAME METHOD PATH [options]       the same in the background
//	received NAME TEXT [TIMES]             that much has come of its body, so often
//	finish NAME                            wait for it; the matchers look at it from then on
//	abandon NAME                           leave it, as a browser that is closed
//	load N CLIENTS METHOD PATH [options]   N requests by so many clients at a time; prints a
//	                                       line "STATUS COUNT" for each status
//	flood NAME CLIENTS METHOD PATH …       load in the background until finish NAME, which
//	                                       prints the counts
//	h2 NAME=VALUE …                        a HTTP/2 request without TLS of just these header fields,
//	                                       in order; fails when the stream or connection is reset
//	raw TEXT [half]                        send bytes, with \r\n and \x00, and read answers
//	                                       until the server closes; half: having closed our half
//
// No redirect is followed and nothing is decompressed. The answer goes to stdout: the status
// line, the headers in order of their names but for Date, an empty line and the body.
//
// Backends
//
//	backend NAME KIND                      a server for proxies, in the tests; sets $NAME to its address,
//	                                       as 127.0.0.1:1234. KIND is how it answers: echo (with the
//	                                       request), sse, websocket, slow, hang, garbage, reset …, see
//	                                       siteKinds. For a NAME that is known: answers so from now on, at
//	                                       the same address
//	backend NAME stop                      refuses connections, and closes those there are
//	asked NAME COUNT                       so many requests have come there
//	seen NAME TEXT                         TEXT, with \r\n, is in the bytes that came there
//	dial NAME tcp|tls|udp ADDRESS          open a connection
//	dial NAME ws PATH [PROTOCOL]           open a WebSocket below $URL
//	say NAME TEXT [ANSWER]                 send a text; the answer is that, or else the same text
//	gone NAME [CODE]                       the other side closes, a WebSocket with that code
//	hangup NAME [half]                     close; half: only our half, and read the rest
//
// Peers
//
//	peer redis|postgres|mariadb            a new database on a real server; sets $REDIS_URL,
//	                                       $POSTGRES_URL or $MARIADB_URL
//	peer pebble                            an authority of this spec that speaks ACME; sets $ACME_URL,
//	                                       $ACME_CA (the file to check it by), $ACME_HTTP and $ACME_TLS
//	                                       (ports it visits on 127.0.0.1), $ACME_DNS (its DNS) and
//	                                       $ACME_API (where records are set); http trusts it
//	peer php FILE …                        PHP-FPM with these scripts; sets $PHP_SOCKET, and $PHP_ROOT, their
//	                                       folder as it sees it
//	peer KIND alone                        a server for this spec alone, which can be stopped:
//	peer KIND stop|start|pause|resume
//
// Matchers of the last answer
//
//	status CODE                            exactly; raw: of the last answer
//	answers N                              raw: so many answers came
//	header NAME [VALUE]                    is there, and is exactly that
//	body TEXT                              the whole body, but for a line break at its end
//	has TEXT                               a part of the body
//	json PATH VALUE                        a value in the body: errors.0.path title; errors.length 1
//	cookie VAR NAME                        set VAR to "NAME=value", as the answer has set it
//
// Programs
//
//	rws [NAME=value …] ARGS                run the binary to its end; it must exit with 0
//	exit CODE                              what the last rws exited with, after "! rws"
//	exec $RWS ARGS                         the same as rws, with what stdin FILE gives it
//	poll COMMAND [';' COMMAND …]           until all succeed in a row; never sleep
//	repeat VAR N TEXT                      set a variable to so many times the text
package spec_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the rws that is tested: an absolute path.
var binary string

// raceDetector reports whether the tests, and so the binary, run under it.
var raceDetector = func() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}()

// patience is how long a spec waits for what must happen. It is long, because it is only
// waited out when the spec fails.
const patience = 20 * time.Second

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(plain) != "" {
		return servePlain()
	}
	dir, err := os.MkdirTemp("", "rws-spec")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary = os.Getenv("RWS_BINARY"); binary == "" {
		err = build(dir)
	}
	// Here testscript makes its folders: with -run, which leaves scripts out, it does not remove
	// the one around them all.
	if err := errors.Join(err, os.Setenv("GOTMPDIR", dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build makes the binary, with the race detector when the tests have it.
func build(dir string) error {
	if err := dependOnSources(); err != nil {
		return err
	}
	binary = filepath.Join(dir, "rws")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	args := []string{"build", "-o", binary}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "..")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building rws: %w\n%s", err, out)
	}
	return nil
}

// dependOnSources looks at every file of the module: go test keeps the result of a test for
// as long as the files that it looked at stay the same, and knows nothing of a binary that
// the test builds.
func dependOnSources() error {
	return filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		_, err = os.Stat(path)
		return err
	})
}

// TestSpecs runs the specs in cases.
func TestSpecs(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "cases",
		Cmds:                commands(),
		Setup:               setup,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
	})
}
