package audit

// EncodeHistory is what [Keep] stores of a history, before it is compressed.
func EncodeHistory(h *History) []byte { return encodeHistory(h) }

// DecodeHistory reads what EncodeHistory wrote.
func DecodeHistory(data []byte) (*History, error) { return decodeHistory(data) }
