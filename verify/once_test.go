package verify

import "testing"

func TestOnceEach(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"a": 1, "b": {"a": [1, {"a": 2}]}}`:       true,
		`{"a": 1, "a": 2}`:                          false,
		`{"entries": [1], "Entries": [2]}`:          false,
		`{"a": [{"x": 1}, {"x": 1, "X": {"y":1}}]}`: false,
		`[]`: true,
		``:   true,
		`{`:  true, // the decoder after it says what is wrong
	} {
		if err := onceEach([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	deep := make([]byte, 0, 1000)
	for range 500 {
		deep = append(deep, '[')
	}
	if onceEach(deep) == nil {
		t.Error("nested without end")
	}
}
