package exchange

// LimitBody has the body of the request be no larger than n bytes in plain form: what decompresses it
// stops there. The smallest limit holds. Who reads the body as it came has to look after that itself.
func (e *Exchange) LimitBody(n int64) {
	if n >= 0 && (!e.bodyLimited || n < e.bodyLimit) {
		e.bodyLimit, e.bodyLimited = n, true
	}
}

// BodyLimit is the smallest limit so far, false without any. That of the route comes with the routing.
func (e *Exchange) BodyLimit() (n int64, ok bool) { return e.bodyLimit, e.bodyLimited }
