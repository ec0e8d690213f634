package health

// For tests of what has no name outside.
var (
	GRPCRequest = grpcRequest
	GRPCAnswer  = grpcAnswer
	AcceptKey   = acceptKey
)
