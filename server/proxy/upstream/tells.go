package upstream

// TellsClient reports whether requests have to carry the addresses of their client, see
// [Options.ProxyProtocol].
func (p *Pool) TellsClient() bool { return p.o.ProxyProtocol > 0 }
