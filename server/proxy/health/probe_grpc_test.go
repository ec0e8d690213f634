package health_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"rws/server/proxy/health"
)

// serveGRPC serves the real health service, or none.
func serveGRPC(t *testing.T, service healthpb.HealthServer, o ...grpc.ServerOption) string {
	t.Helper()
	s := grpc.NewServer(o...)
	if service != nil {
		healthpb.RegisterHealthServer(s, service)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, <-done)
	})
	return l.Addr().String()
}

func TestGRPCHealth(t *testing.T) {
	service := grpchealth.NewServer()
	service.SetServingStatus("shop.Cart", healthpb.HealthCheckResponse_SERVING)
	service.SetServingStatus("shop.Pay", healthpb.HealthCheckResponse_NOT_SERVING)
	service.SetServingStatus("shop.New", healthpb.HealthCheckResponse_UNKNOWN)
	url := "grpc://" + serveGRPC(t, service)

	require.NoError(t, ask(t, health.Check{}, url), "the server as a whole")
	require.NoError(t, ask(t, health.Check{Service: "shop.Cart"}, url))
	require.NoError(t, ask(t, health.Check{Service: "shop.Cart", Reuse: true}, url))
	require.ErrorContains(t, ask(t, health.Check{Service: "shop.Pay"}, url), `the gRPC service "shop.Pay" is NOT_SERVING`)
	require.ErrorContains(t, ask(t, health.Check{Service: "shop.New"}, url), `"shop.New" is UNKNOWN`)
	require.ErrorContains(t, ask(t, health.Check{Service: "shop.Other"}, url), `does not know the service "shop.Other"`)
	service.Shutdown()
	require.ErrorContains(t, ask(t, health.Check{}, url), "NOT_SERVING")
}

func TestGRPCHealthOfAnH2CBackend(t *testing.T) {
	require.NoError(t, ask(t, health.Check{Scheme: "grpc", Path: "/ignored"}, "h2c://"+serveGRPC(t, grpchealth.NewServer())))
}

func TestGRPCHealthOverTLS(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	pair.Close()
	address := serveGRPC(t, grpchealth.NewServer(), grpc.Creds(credentials.NewServerTLSFromCert(&pair.TLS.Certificates[0])))
	roots := x509.NewCertPool()
	roots.AddCert(pair.Certificate())
	require.NoError(t, ask(t, health.Check{TLS: &tls.Config{RootCAs: roots}}, "grpcs://"+address))
	require.ErrorContains(t, ask(t, health.Check{}, "grpcs://"+address), "certificate")
}

func TestAGRPCServerWithoutHealth(t *testing.T) {
	require.ErrorContains(t, ask(t, health.Check{}, "grpc://"+serveGRPC(t, nil)), "does not implement grpc.health.v1.Health")
	web := server(t, "h2c", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	require.ErrorContains(t, ask(t, health.Check{}, "grpc://"+web), "this is not a gRPC server")
	none := server(t, "h2c", http.NotFound)
	require.ErrorContains(t, ask(t, health.Check{}, "grpc://"+none), "status 404, expected 200 of a gRPC server")
}

// What is sent and read by hand is what the library makes of it.
func TestGRPCMessages(t *testing.T) {
	for _, service := range []string{"", "a", string(make([]byte, 300))} {
		frame := health.GRPCRequest(service)
		var sent healthpb.HealthCheckRequest
		require.NoError(t, proto.Unmarshal(frame[5:], &sent))
		require.Equal(t, service, sent.Service)
	}
	message, err := proto.Marshal(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVICE_UNKNOWN})
	require.NoError(t, err)
	later := protowire.AppendTag(nil, 9, protowire.BytesType) // fields of versions to come
	later = protowire.AppendBytes(later, []byte("new"))
	later = protowire.AppendTag(later, 10, protowire.Fixed32Type)
	later = protowire.AppendFixed32(later, 1)
	later = protowire.AppendTag(later, 11, protowire.Fixed64Type)
	later = protowire.AppendFixed64(later, 1)
	for _, m := range [][]byte{message, append(later, message...)} {
		state, err := health.GRPCAnswer(frame(m))
		require.NoError(t, err)
		require.EqualValues(t, 3, state)
	}
	state, err := health.GRPCAnswer(frame(nil))
	require.NoError(t, err)
	require.Zero(t, state, "a field that is not sent has its default, UNKNOWN")
}

func frame(message []byte) []byte {
	return append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
}

// FuzzGRPCAnswer holds what is read by hand against the library.
func FuzzGRPCAnswer(f *testing.F) {
	for _, m := range [][]byte{nil, {8, 1}, {8, 0x80}, {0x12, 200}, {0x0b}, {8, 1, 8, 2}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) > 255 {
			return
		}
		state, err := health.GRPCAnswer(frame(message))
		var want healthpb.HealthCheckResponse
		if proto.Unmarshal(message, &want) != nil {
			return // the library is stricter: about text, groups and the numbers of fields
		}
		if err == nil {
			require.EqualValues(t, want.Status, int32(state), "%x", message)
		}
	})
}
