package session

// Recode reads stored data and writes it again.
func Recode(b []byte) ([]byte, error) {
	d, err := parseData(b)
	if err != nil {
		return nil, err
	}
	return d.encode()
}
