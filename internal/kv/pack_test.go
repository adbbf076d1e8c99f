package kv_test

import (
	"bytes"
	"testing"

	"bongsu/internal/kv"
)

func TestPack(t *testing.T) {
	data := bytes.Repeat([]byte("alike "), 1000)
	packed, err := kv.Pack(data)
	if err != nil || len(packed) > len(data)/10 {
		t.Fatalf("%d bytes of %d, %v", len(packed), len(data), err)
	}
	if got, err := kv.Unpack(packed, len(data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := kv.Unpack(packed, len(data)-1); err == nil {
		t.Error("more than allowed is unpacked")
	}
	for _, bad := range [][]byte{nil, data, packed[:len(packed)-1], packed[:len(packed)/2]} {
		if got, err := kv.Unpack(bad, len(data)); err == nil {
			t.Errorf("%d damaged bytes give %d", len(bad), len(got))
		}
	}
}
