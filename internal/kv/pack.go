package kv

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Pack compresses a value, as stores hold what is large and repeats itself.
func Pack(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// Unpack returns what was packed, or an error where it is damaged or has more than so many bytes.
func Unpack(packed []byte, most int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(z, int64(most)+1))
	if len(data) > most {
		return nil, fmt.Errorf("more than %d bytes", most)
	}
	return data, err
}
