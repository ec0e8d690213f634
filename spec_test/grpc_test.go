package spec_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	servers "rws/spec_test/peers"
)

const (
	grpcServer = "go install google.golang.org/grpc/interop/server@v1.85.0, renamed"
	grpcClient = "go install google.golang.org/grpc/interop/client@v1.85.0, renamed"
)

// interopCases are those of the gRPC project that need nothing of the cloud of its makers.
var interopCases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server",
	"cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata",
	"unimplemented_method", "unimplemented_service",
}

// startInterop starts the server of the interoperability tests.
func startInterop(t *testing.T, args ...string) (port string) {
	t.Helper()
	addr := servers.FreeAddress(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	cmd := exec.Command(servers.Program(t, "grpc-interop-server", grpcServer), append(args, "-port", port)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // of a process that was killed
	})
	accepts(t, addr)
	return port
}

// TestGRPCInterop runs the interoperability tests of gRPC through a proxy, without TLS and with it on both
// sides: unary calls, streams both ways, cancelling, deadlines, metadata and statuses.
func TestGRPCInterop(t *testing.T) {
	client := servers.Program(t, "grpc-interop-client", grpcClient)
	for _, c := range []struct {
		name, scheme, options  string
		backend, proxy, client []string
	}{
		{"h2c", "h2c", "", nil, []string{"--h2c"}, nil},
		{"tls", "grpcs", `, { tls = { ca = "site.pem", server_name = "localhost" } }`,
			[]string{"-use_tls", "-tls_cert_file", "site.pem", "-tls_key_file", "site.key"},
			[]string{"--tls-cert", "site.pem", "--tls-key", "site.key"},
			[]string{"-use_tls", "-use_test_ca", "-ca_file", "site.pem", "-server_host_override", "localhost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, writeCertificate(filepath.Join(dir, "site"), "localhost"))
			inDir := func(args []string) (all []string) {
				for _, arg := range args {
					if strings.HasPrefix(arg, "site.") {
						arg = filepath.Join(dir, arg)
					}
					all = append(all, arg)
				}
				return all
			}
			backend := startInterop(t, inDir(c.backend)...)
			script := `app:grpc("/grpc.testing.TestService/*", "` + c.scheme + `://127.0.0.1:` + backend + `"` + c.options + `)`
			require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(script), 0o600))
			host, port := where(t, startedIn(t, dir, append(c.proxy, "--listen", "127.0.0.1:0", "--access-log=false")...))
			for _, name := range interopCases {
				t.Run(name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					args := append(inDir(c.client), "-server_host", host, "-server_port", port, "-test_case", name)
					out, err := exec.CommandContext(ctx, client, args...).CombinedOutput()
					assert.NoError(t, err, "%s", out)
				})
			}
		})
	}
}
