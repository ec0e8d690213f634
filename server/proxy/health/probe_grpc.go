package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// The health protocol of gRPC (grpc/proto/grpc/health/v1/health.proto) is one call with a message of
// one field in each direction. The library for it would make the binary some megabytes bigger.
const (
	grpcPath       = "/grpc.health.v1.Health/Check"
	grpcServing    = 1
	grpcNotFound   = "5"
	grpcNotThere   = "12"
	grpcMaxMessage = 4 << 10
)

var grpcStates = map[uint64]string{0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

func (c *Check) askGRPC(ctx context.Context, t *http.Transport, e endpoint, u *url.URL) error {
	r, err := c.request(ctx, e, http.MethodPost, u, bytes.NewReader(grpcRequest(c.Service)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	if end, ok := ctx.Deadline(); ok {
		r.Header.Set("Grpc-Timeout", fmt.Sprintf("%dm", max(time.Until(end).Milliseconds(), 1)))
	}
	answer, err := t.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, expected 200 of a gRPC server", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, grpcMaxMessage))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if err := c.grpcStatus(answer); err != nil {
		return err
	}
	state, err := grpcAnswer(body)
	if err != nil {
		return err
	}
	if state != grpcServing {
		name, ok := grpcStates[state]
		if !ok {
			name = fmt.Sprint("state ", state)
		}
		return fmt.Errorf("the gRPC service %q is %s", c.Service, name)
	}
	return nil
}

// grpcStatus reads the status of the call: in the trailer, or in the header if there was no message.
func (c *Check) grpcStatus(answer *http.Response) error {
	code := answer.Trailer.Get("Grpc-Status")
	message := answer.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = answer.Header.Get("Grpc-Status"), answer.Header.Get("Grpc-Message")
	}
	switch code {
	case "0":
		return nil
	case "":
		return errors.New("the answer has no grpc-status: this is not a gRPC server")
	case grpcNotFound:
		return fmt.Errorf("the gRPC server does not know the service %q", c.Service)
	case grpcNotThere:
		return errors.New("the gRPC server does not implement grpc.health.v1.Health: register it there, or check with tcp")
	}
	return fmt.Errorf("gRPC status %.10s: %.200q", code, message)
}

// grpcRequest is a HealthCheckRequest{service: 1 string}, framed: a byte for the compression, none, and
// the length in four bytes.
func grpcRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

var errGRPCAnswer = errors.New("the answer is no HealthCheckResponse")

// grpcAnswer reads a framed HealthCheckResponse{status: 1 enum}. Fields it does not know are skipped.
func grpcAnswer(frame []byte) (state uint64, err error) {
	if len(frame) < 5 || frame[0] != 0 || uint64(binary.BigEndian.Uint32(frame[1:])) != uint64(len(frame)-5) {
		return 0, errGRPCAnswer
	}
	for message := frame[5:]; len(message) > 0; {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return 0, errGRPCAnswer
		}
		message = message[n:]
		value, size := grpcField(tag&7, message)
		if size < 0 || size > len(message) {
			return 0, errGRPCAnswer
		}
		if tag == 1<<3 {
			state = value
		}
		message = message[size:]
	}
	return state, nil
}

// grpcField returns the value of a field that is a number, and the size of any; -1 if it is malformed.
func grpcField(wire uint64, message []byte) (value uint64, size int) {
	switch wire {
	case 0:
		value, n := binary.Uvarint(message)
		if n <= 0 {
			return 0, -1
		}
		return value, n
	case 1:
		return 0, 8
	case 2:
		length, n := binary.Uvarint(message)
		if n <= 0 || length > uint64(len(message)) {
			return 0, -1
		}
		return 0, n + int(length)
	case 5:
		return 0, 4
	}
	return 0, -1
}
